import { setTimeout as pause } from "node:timers/promises";
import { signWebhook, type LifecycleEvent } from "@heliograph/client";
import { feedOptions, text, UsageError, type Command, type Context } from "../command.ts";
import { followed } from "../feed.ts";

/** A receiver that is being restarted is back by then; after that its event is lost to it, as the line says. */
const [tries, betweenMs] = [10, 1_000];
/** With a place that is kept nothing is passed over: it waits twice as long after each try, up to this. */
const longestWaitMs = 30_000;
/** As the platform's own webhooks. */
const timeoutMs = 15_000;

/** One event to the receiver, signed as a webhook. Undefined: nobody took the connection. */
async function post(
  url: string,
  secret: string,
  event: LifecycleEvent,
  signal: AbortSignal,
): Promise<number | undefined> {
  // Of readers of the feed; a webhook has none.
  const { previous_sequence: _, ...webhook } = event;
  const body = JSON.stringify(webhook);
  try {
    const answer = await fetch(url, {
      method: "POST",
      body,
      headers: {
        "content-type": "application/json",
        "user-agent": "Heliograph-Webhooks/1.0",
        ...signWebhook(body, secret, { id: event.id }),
      },
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    await answer.body?.cancel();
    return answer.status;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

const isTaken = (status: number | undefined): boolean =>
  status !== undefined && status >= 200 && status < 300;

/** Tries until the receiver has taken the event, by a 2xx: whatever else it answers is a no, as to a webhook. */
async function deliver(
  { signal, say }: Context,
  url: string,
  secret: string,
  event: LifecycleEvent,
): Promise<string> {
  for (let waitMs = betweenMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    const status = await post(url, secret, event, signal);
    if (isTaken(status)) return `${status}`;
    say(
      `${event.sequence} was not taken (${status ?? "no answer"}); again in ${waitMs / 1_000} s.`,
    );
    await pause(waitMs, undefined, { signal });
  }
}

async function forward(
  { signal, say }: Context,
  url: string,
  secret: string,
  event: LifecycleEvent,
): Promise<string> {
  for (let number = 1; ; number++) {
    const status = await post(url, secret, event, signal);
    if (status !== undefined) return isTaken(status) ? `${status}` : `${status} failed`;
    if (number === tries) return "failed: no answer";
    if (number === 1) say(`${url} does not answer; trying again.`);
    await pause(betweenMs, undefined, { signal });
  }
}

export const listen: Command = {
  summary: "Forwards the sandbox's events to a port of this machine, signed as webhooks are.",
  usage:
    "--forward <url> [--types <type,type>] [--filters <json>] [--after <sequence> | --consumer <name>]",
  options: {
    forward: {
      value: "url",
      about: "your receiver: 3000, 3000/hooks, localhost:3000/hooks or a whole URL",
    },
    ...feedOptions,
  },
  notes: [
    "It prints the secret, whsec_…, with which your receiver verifies; it stays the same.",
    "Events go one after the other, in their order. The next waits until the one before was answered; with --consumer until it was answered 2xx, and Ctrl-C leaves it for the next time.",
  ],
  async run(context) {
    const url = receiverOf(text(context.values, "forward"));
    if (context.environment() !== "sandbox")
      throw new UsageError("listen needs a key of the sandbox, ak_test_…");
    const secret = context.webhookSecret();
    context.say(`Forwarding to ${url}`);
    context.say(`Secret: ${secret}`);
    const send = text(context.values, "consumer") === undefined ? forward : deliver;
    for await (const event of followed(context)) {
      const outcome = await send(context, url, secret, event);
      context.print(`${event.sequence}  ${event.type}  ${event.id}  ->  ${outcome}`);
    }
  },
};

/** Where events go to, by what was given. Throws UsageError. */
function receiverOf(given: string | undefined): string {
  if (given === undefined) throw new UsageError("listen needs --forward, such as --forward 3000");
  // A number alone would be a host: 3000 is 0.0.11.184 to a URL parser.
  const local = /^\d{1,5}(?=$|[/?])/.test(given) ? `127.0.0.1:${given}` : given;
  const url = local.includes("://") ? local : `http://${local}`;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new UsageError("--forward must be a port, a host with one, or a URL");
  return url;
}
