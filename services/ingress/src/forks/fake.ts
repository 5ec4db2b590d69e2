import { createHmac } from "node:crypto";
import {
  channelModule,
  isWhatsappUserId,
  type MagicOutcome,
  magicOutcomes,
} from "@heliograph/channels";
import type { Channel } from "@heliograph/contracts";
import { shapeOf } from "./shape.ts";

/**
 * What stands in the place of what is personal: made of a secret and the value, so the same value has the same fake in every fork of an installation, and nobody can find out by trying which value a fake
 * is of without the secret.
 */
export type Fakes = {
  text(text: string): string;
  /** An address of the same country and the same shape, which has that outcome in the sandbox; undefined where the channel has none. */
  address(channel: Channel, to: string, outcome: MagicOutcome): string | undefined;
  /** A short word. */
  name(value: string): string;
};

/** Numbers that follow from a text, each below `below`. */
type Draw = (below: number) => number;

function drawsOf(secret: string, ...parts: readonly string[]): Draw {
  const from = parts.map((part) => `${part.length}:${part}`).join("");
  // Once: a text may be long, and each block would read all of it.
  const key = createHmac("sha256", secret).update(from).digest();
  let block: Buffer = Buffer.alloc(0);
  let at = 0;
  let count = 0;
  return (below) => {
    if (at + 2 > block.length) {
      block = createHmac("sha256", key).update(String(count++)).digest();
      at = 0;
    }
    const value = block.readUInt16BE(at);
    at += 2;
    return value % below;
  };
}

/** The draws do not depend on what a letter was: which fake a text has, only the secret tells, and by chance a letter may stay. */
const fakeText = (text: string, draw: Draw): string =>
  shapeOf(text)
    .map((place) => (typeof place === "string" ? place : place[draw(place.length)]!))
    .join("");

/** What of a number's end is replaced: before that stand the country and, mostly, the network. */
const replacedDigits = 7;
/** A country's plan may not know the first that come out. */
const tries = 32;
const digitsOf = new Map(magicOutcomes.map(({ name, digits }) => [name, digits]));

/** Of a user's id at WhatsApp, which is as long as Meta likes, nothing but the country. */
const keptOf = (channel: Channel, to: string): string =>
  channel === "whatsapp" && isWhatsappUserId(to)
    ? /^[A-Z]{2}\.(?:ENT\.)?/.exec(to)![0]
    : to.slice(0, -replacedDigits);

function fakeNumber(
  channel: Channel,
  to: string,
  outcome: MagicOutcome,
  draw: Draw,
): string | undefined {
  const { recipient, magic } = channelModule(channel);
  const kept = keptOf(channel, to);
  for (let number = 0; number < tries; number++) {
    const made = fakeText(to.slice(kept.length), draw);
    const end = outcome === "delivered" ? made.slice(-4) : digitsOf.get(outcome)!;
    const fake = kept + made.slice(0, -4) + end;
    const found = recipient(fake);
    if (found.kind === "read" && found.value.to === fake && magic(fake) === outcome && fake !== to)
      return fake;
  }
  return undefined;
}

const domains = ["example.com", "example.net", "example.org"];

export function createFakes(secret: string): Fakes {
  const name = (value: string): string =>
    createHmac("sha256", secret).update(value).digest("hex").slice(0, 10);
  return {
    name,
    text: (text) => fakeText(text, drawsOf(secret, "text", text)),
    address(channel, to, outcome) {
      const draw = drawsOf(secret, channel, to);
      if (channel === "sms" || channel === "whatsapp")
        return fakeNumber(channel, to, outcome, draw);
      if (channel !== "email") return undefined;
      return `${outcome}+${name(to)}@${domains[draw(domains.length)]!}`;
    },
  };
}
