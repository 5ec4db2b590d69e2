import type { Answers } from "../answers.ts";
import type { Api } from "../platform-session.ts";

type Event = Answers["LifecycleEventPage"]["data"][number];

/** How long one call waits for the next event. */
const waitSeconds = 20;
const pageSize = 500;
/** No more often than this is the feed read, however much happens. */
const paceMs = 300;
const retryMs = 2_000;
/** Who joins may have read the page this long before an event that we still know. */
const memoryMs = 20_000;
/** Events of this type are rare: filtered by it, the feed is passed over without being told. */
const rareType = "webhook_endpoint.disabled";

type Heard = { readonly at: number; readonly type: string; readonly data: string };

/** What happens at one partner in one environment, from its feed: one reader of it, however many tabs look. */
export type Topic = {
  /** Whether anything of `on` may have happened since then, as far as is known. */
  changedSince(on: ReadonlySet<string>, at: number): boolean;
  close(): void;
};

/** `all`: more happened than was read. */
export type Happened = { readonly all: boolean; readonly events: readonly Heard[] };

/** Types are small letters alone; ids and addresses have others. */
const isName = (word: string): boolean => /[^a-z._]/.test(word);

/** Whether an event is something that a region depends on. */
export const concerns = (on: ReadonlySet<string>, { type, data }: Heard): boolean =>
  [...on].some((word) =>
    type === word || type.startsWith(`${word}.`)
      ? true
      : isName(word) && data.includes(`"${word}"`),
  );

type Following = {
  /** Of whoever looks; while there is none, it waits. */
  readonly api: () => Api | undefined;
  readonly happened: (what: Happened) => void;
  /** Before it is tried again: whose session is over must not be asked with for all others. */
  readonly failed: () => Promise<void>;
};

/** Follows a feed with the sessions of whoever looks. */
export function followFeed({ api, happened, failed }: Following): Topic {
  const closed = new AbortController();
  const { signal } = closed;
  let heard: readonly Heard[] = [];
  let knownSince = Number.POSITIVE_INFINITY;
  let after: number | undefined;

  const ask = async (query: Record<string, string | number>) => {
    const found = api();
    if (found === undefined) throw new Error("nobody looks");
    return found.get<Answers["LifecycleEventPage"]>("/events", query, signal);
  };
  /** The feed's end, from there on. */
  const end = async (from: number): Promise<number> => {
    const { next_after: next } = await ask({ after: from, limit: pageSize, types: rareType });
    return next > from ? end(next) : next;
  };
  const turn = async (): Promise<void> => {
    if (after === undefined) {
      after = await end(0);
      knownSince = Date.now();
      // What came in between was told to nobody.
      happened({ all: true, events: [] });
      return;
    }
    const { data, next_after } = await ask({ after, limit: pageSize, wait: waitSeconds });
    const all = data.length === pageSize;
    after = all ? await end(next_after) : next_after;
    const now = Date.now();
    const events = data.map(({ type, data: about }: Event) => ({
      at: now,
      type,
      data: JSON.stringify(about),
    }));
    if (all) knownSince = now;
    heard = [...heard.filter(({ at }) => at > now - memoryMs), ...events];
    if (events.length > 0) happened({ all, events });
    await pause(paceMs, signal);
  };
  const run = async (): Promise<void> => {
    while (!signal.aborted)
      await turn().catch(async () => {
        await failed().catch(() => undefined);
        await pause(retryMs, signal);
      });
  };
  // Whoever asked for it looks from the next turn on.
  setImmediate(() => void run());
  return {
    changedSince: (on, since) =>
      since < Math.max(knownSince, Date.now() - memoryMs) ||
      heard.some((event) => event.at >= since && concerns(on, event)),
    close: () => closed.abort(),
  };
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
