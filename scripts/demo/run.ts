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
  const demo = new Demo(api, await feedTail(api));
  const balance = await api.need<{ available: string; currency: string }>("GET", "/balance");
  say(`Wallet: ${balance.available} ${balance.currency} available`);
  const receiver = await startReceiver((received) => demo.onWebhook(received));
  const endpoint = await openEndpoint(api, receiver, () => demo.verified.size > 0).catch(
    async (error: unknown) => {
      await receiver.close();
      throw error;
    },
  );
  say(endpoint.refusal === undefined ? "" : paint("yellow", `${endpoint.refusal}\n`));
  const hint = setTimeout(() => {
    say("\nRetries take up to five minutes with the standard delays (HELIOGRAPH_RETRY_SCALE).");
  }, quickMs);
  try {
    return await demo.run(endpoint.refusal === undefined);
  } finally {
    clearTimeout(hint);
    demo.end();
    await endpoint.remove();
    await receiver.close();
  }
}

/** One run: the messages sent, and what the timelines, the feed and the webhooks have shown of them. */
class Demo {
  /** When the webhook of an event arrived, by the event's id. */
  readonly verified = new Map<string, number>();
  readonly #api: Api;
  readonly #lives = new Map<string, Life>();
  readonly #problems: string[] = [];
  readonly #reporter = newReporter(Date.now());
  readonly #following = new AbortController();
  /** The last sequence of the feed that was seen. */
  #after: number;
  /** Undefined where no webhook can reach this machine. */
  #webhooks: ReadonlyMap<string, number> | undefined;

  constructor(api: Api, after: number) {
    this.#api = api;
    this.#after = after;
  }

  async run(withWebhooks: boolean): Promise<boolean> {
    this.#webhooks = withWebhooks ? this.verified : undefined;
    const refused = await this.#follow();
    return summarise({
      api: this.#api,
      lives: [...this.#lives.values()],
      refused,
      webhooks: this.#webhooks,
      problems: this.#problems,
    });
  }

  end(): void {
    this.#following.abort();
  }

  /** Sends, and shows what happens until every message is settled or the time is up. Gives what was refused. */
  async #follow(): Promise<ReadonlyMap<string, string>> {
    const [api, lives, reporter, problems] = [
      this.#api,
      this.#lives,
      this.#reporter,
      this.#problems,
    ];
    const sending = sendCases({ api, lives, reporter, problems, startedAtMs: Date.now() });
    let refused: ReadonlyMap<string, string> | undefined;
    const failed = Promise.all([
      sending.then((codes) => void (refused = codes)),
      this.#followFeed(),
    ]);
    failed.catch(() => undefined);
    const deadline = performance.now() + followMs;
    for (;;) {
      const open = [...lives.values()].filter((life) => life.endedAtMs === undefined);
      await this.#showTimelines(open);
      reporter.flush(Date.now() - showAfterMs);
      for (const life of open) if (isSettled(life, this.#webhooks)) life.endedAtMs = Date.now();
      if (open.length === 0 && refused !== undefined) break;
      if (performance.now() > deadline) break;
      await Promise.race([pause(timelineEveryMs), failed]);
    }
    this.#following.abort();
    await failed;
    await this.#showTimelines([...lives.values()]);
    reporter.flush(Infinity);
    return refused ?? new Map();
  }

  onWebhook(received: Received): void {
    if (received.problem !== undefined)
      this.#problems.push(`webhook ${received.id}: ${received.problem}`);
    else if (!this.verified.has(received.id)) {
      this.verified.set(received.id, received.atMs);
      for (const life of this.#lives.values())
        if (life.feed.has(received.id)) this.#showPublic(life, life.feed.get(received.id)!);
    }
  }

  #showPublic(life: Life, event: FeedEvent): void {
    const arrivedMs = this.verified.get(event.id);
    const laterMs = (arrivedMs ?? 0) - Date.parse(event.timestamp);
    this.#reporter.add({
      atMs: arrivedMs ?? Date.now(),
      name: life.case.name,
      place: `feed ${event.sequence}`,
      type: event.type,
      text: arrivedMs === undefined ? "" : `webhook verified, ${laterMs} ms after the event`,
      style: "green",
    });
  }

  async #followFeed(): Promise<void> {
    while (!this.#following.signal.aborted) {
      const path = `/events?after=${this.#after}&limit=100&wait=${pollSeconds}`;
      const page = await this.#api.need<FeedPage>("GET", path, { extraMs: pollSeconds * 1000 });
      for (const event of page.data) {
        if (event.sequence !== this.#after + 1)
          this.#problems.push(`the feed goes from ${this.#after} to ${event.sequence}`);
        this.#after = event.sequence;
        const life = this.#lives.get(event.data.message_id ?? "");
        if (life === undefined) continue;
        life.feed.set(event.id, event);
        if (this.#webhooks === undefined || this.#webhooks.has(event.id))
          this.#showPublic(life, event);
      }
    }
  }

  async #showTimelines(open: readonly Life[]): Promise<void> {
    await Promise.all(
      open.map(async (life) => {
        const { data } = await this.#api.need<Timeline>("GET", `/messages/${life.id}/timeline`);
        for (const entry of data) {
          if (life.shown.has(entry.id)) continue;
          life.shown.add(entry.id);
          life.types.add(entry.type);
          this.#reporter.add({
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
