import { setTimeout as pause } from "node:timers/promises";
import type { Instance } from "../shared/instance.ts";
import { connectApi, type Api } from "./api.ts";
import { describe, type TimelineEntry } from "./describe.ts";
import { openEndpoint } from "./endpoint.ts";
import { isSettled, type FeedEvent, type Life } from "./life.ts";
import { startReceiver, type Received } from "./receiver.ts";
import { sendCases } from "./send.ts";
import { DemoError } from "./start.ts";
import { summarise } from "./summary.ts";
import { newReporter, paint, say } from "./view.ts";

/** With the standard delays the five retries of `exhausted` take 282 s at most; an instance of the demo's own has a fraction of them. */
const followMs = 330_000;
/** What still runs after this long is said to need time. */
const quickMs = 15_000;
const timelineEveryMs = 150;
/** Longer than a round of timelines takes, so that lines come out in order. */
const showAfterMs = 400;
const pollSeconds = 1;

/** Sends every case to the sandbox and shows what becomes of it. True when every outcome was as expected. */
export async function runDemo(instance: Instance, interrupted: AbortSignal): Promise<boolean> {
  const { baseUrl, sandboxKey } = instance;
  if (sandboxKey === undefined)
    throw new DemoError(`Heliograph at ${baseUrl} has no demo partner (HELIOGRAPH_DEMO=on).`);
  const api = connectApi(baseUrl, sandboxKey, interrupted);
  const lives = new Map<string, Life>();
  /** When the webhook of an event arrived, by the event's id. */
  const verified = new Map<string, number>();
  const problems: string[] = [];
  const reporter = newReporter(Date.now());

  let after = await feedTail(api);
  const balance = await api.need<{ available: string; currency: string }>("GET", "/balance");
  say(`Wallet: ${balance.available} ${balance.currency} available`);
  const receiver = await startReceiver(onWebhook);
  const endpoint = await openEndpoint(api, receiver, () => verified.size > 0).catch(
    async (error: unknown) => {
      await receiver.close();
      throw error;
    },
  );
  say(endpoint.refusal === undefined ? "" : paint("yellow", `${endpoint.refusal}\n`));
  const webhooks = endpoint.refusal === undefined ? verified : undefined;
  const following = new AbortController();
  const hint = setTimeout(() => {
    say("\nRetries take up to five minutes with the standard delays (HELIOGRAPH_RETRY_SCALE).");
  }, quickMs);

  try {
    const startedAtMs = Date.now();
    const sending = sendCases({ api, lives, reporter, problems, startedAtMs });
    const feed = followFeed();
    let refused: ReadonlyMap<string, string> | undefined;
    const sent = sending.then((codes) => void (refused = codes));
    const failed = Promise.all([sent, feed]);
    failed.catch(() => undefined);
    const deadline = performance.now() + followMs;
    for (;;) {
      const open = [...lives.values()].filter((life) => life.endedAtMs === undefined);
      await showTimelines(open);
      reporter.flush(Date.now() - showAfterMs);
      for (const life of open) if (isSettled(life, webhooks)) life.endedAtMs = Date.now();
      if (open.length === 0 && refused !== undefined) break;
      if (performance.now() > deadline) break;
      await Promise.race([pause(timelineEveryMs), failed]);
    }
    following.abort();
    await failed;
    await showTimelines([...lives.values()]);
    reporter.flush(Infinity);
    return await summarise({
      api,
      lives: [...lives.values()],
      refused: refused ?? new Map(),
      webhooks,
      problems,
    });
  } finally {
    clearTimeout(hint);
    following.abort();
    await endpoint.remove();
    await receiver.close();
  }

  function onWebhook(received: Received): void {
    if (received.problem !== undefined)
      problems.push(`webhook ${received.id}: ${received.problem}`);
    else if (!verified.has(received.id)) {
      verified.set(received.id, received.atMs);
      for (const life of lives.values())
        if (life.feed.has(received.id)) showPublic(life, life.feed.get(received.id)!);
    }
  }

  function showPublic(life: Life, event: FeedEvent): void {
    const arrivedMs = verified.get(event.id);
    const laterMs = (arrivedMs ?? 0) - Date.parse(event.timestamp);
    reporter.add({
      atMs: arrivedMs ?? Date.now(),
      name: life.case.name,
      place: `feed ${event.sequence}`,
      type: event.type,
      text: arrivedMs === undefined ? "" : `webhook verified, ${laterMs} ms after the event`,
      style: "green",
    });
  }

  async function followFeed(): Promise<void> {
    while (!following.signal.aborted) {
      const path = `/events?after=${after}&limit=100&wait=${pollSeconds}`;
      const page = await api.need<FeedPage>("GET", path, { extraMs: pollSeconds * 1000 });
      for (const event of page.data) {
        if (event.sequence !== after + 1)
          problems.push(`the feed goes from ${after} to ${event.sequence}`);
        after = event.sequence;
        const life = lives.get(event.data.message_id ?? "");
        if (life === undefined) continue;
        life.feed.set(event.id, event);
        if (webhooks === undefined || webhooks.has(event.id)) showPublic(life, event);
      }
    }
  }

  async function showTimelines(open: readonly Life[]): Promise<void> {
    await Promise.all(
      open.map(async (life) => {
        const { data } = await api.need<Timeline>("GET", `/messages/${life.id}/timeline`);
        for (const entry of data) {
          if (life.shown.has(entry.id)) continue;
          life.shown.add(entry.id);
          life.types.add(entry.type);
          reporter.add({
            atMs: Date.parse(entry.timestamp),
            name: life.case.name,
            place: `#${BigInt(entry.position)}`,
            type: entry.type,
            text: describe(entry),
            style: entry.type.startsWith("Funds") ? "yellow" : "cyan",
          });
        }
      }),
    );
  }
}

type FeedPage = { readonly data: readonly FeedEvent[]; readonly next_after: number };
type Timeline = { readonly data: readonly TimelineEntry[] };

/** The newest sequence of the feed: a filter that hardly anything passes makes the pages skip to the end. */
async function feedTail(api: Api): Promise<number> {
  let after = 0;
  for (;;) {
    const path = `/events?after=${after}&limit=1000&types=webhook_endpoint.disabled`;
    const { next_after: next } = await api.need<FeedPage>("GET", path);
    if (next <= after) return after;
    after = next;
  }
}
