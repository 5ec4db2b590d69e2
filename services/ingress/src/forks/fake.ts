import { createHmac } from "node:crypto";
import { channelModule, type MagicOutcome, magicOutcomes } from "@heliograph/channels";
import type { Channel } from "@heliograph/contracts";

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
  let block: Buffer = Buffer.alloc(0);
  let at = 0;
  let count = 0;
  return (below) => {
    if (at + 2 > block.length) {
      block = createHmac("sha256", secret).update(`${count++}/${from}`).digest();
      at = 0;
    }
    const value = block.readUInt16BE(at);
    at += 2;
    return value % below;
  };
}

/** Each is replaced by another of its row: all of a row weigh the same in an SMS, and what is read stays readable. */
const rows = [
  "aeiou",
  "AEIOU",
  "bcdfghjklmnpqrstvwxyz",
  "BCDFGHJKLMNPQRSTVWXYZ",
  "0123456789",
  "èéùìòøåæäöñüà",
  "ÇØÅÆÉÄÖÑÜ",
  "ΔΦΓΛΩΠΨΣΘΞ",
];
const rowOf = new Map(rows.flatMap((row) => Array.from(row, (letter) => [letter, row] as const)));
/** Letters of other scripts: one near by of the same length. A block of a script has its letters beside each other. */
const near = 8;
const isWord = /^[\p{L}\p{Nd}]$/u;
/** Those with signs that the basic alphabet of SMS lacks stay: another one might not be in the alphabet of their language. */
const isLatin = /^\p{Script=Latin}$/u;

function another(letter: string, draw: Draw): string {
  const row = rowOf.get(letter);
  if (row !== undefined) {
    const others = Array.from(row).filter((each) => each !== letter);
    return others[draw(others.length)]!;
  }
  if (!isWord.test(letter) || isLatin.test(letter)) return letter;
  const code = letter.codePointAt(0)!;
  const first = draw(near - 1);
  for (let step = 0; step < near - 1; step++) {
    const other = String.fromCodePoint(code ^ (1 + ((first + step) % (near - 1))));
    if (isWord.test(other) && other.length === letter.length) return other;
  }
  return letter;
}

const fakeText = (text: string, draw: Draw): string =>
  Array.from(text, (letter) => another(letter, draw)).join("");

/** What of a number's end is replaced: before that stand the country and, mostly, the network. */
const replacedDigits = 7;
/** A country's plan may not know the first that come out. */
const tries = 32;
const digitsOf = new Map(magicOutcomes.map(({ name, digits }) => [name, digits]));

function fakeNumber(
  channel: Channel,
  to: string,
  outcome: MagicOutcome,
  draw: Draw,
): string | undefined {
  const { recipient, magic } = channelModule(channel);
  const kept = to.slice(0, -replacedDigits);
  for (let number = 0; number < tries; number++) {
    const made = fakeText(to.slice(-replacedDigits), draw);
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
