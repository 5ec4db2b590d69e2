import type { AnyOptions, Query, Row } from "./calls.ts";
import { HeliographError, ProblemError } from "./errors.ts";
import type { LifecycleEvent, LifecycleEventPage, WebhookFilters } from "./made/types.ts";
import { Place, type PlaceRows } from "./place.ts";
import { pause, pauseMs, scope } from "./retry.ts";
import { eventsIn } from "./sse.ts";
import { call, keyOf, outgoing, refusalOf, sendOnce, type Settings } from "./transport.ts";

/** The platform says something every 15 s: silence of three times that is a connection that nobody holds at the other end. */
const defaultSilenceMs = 45_000;
/** How long one poll waits at the platform, and how long we poll before a stream is tried again. */
const [pollSeconds, pollForMs] = [25, 60_000];
/** So many streams in a row that brought nothing: something between us and the platform does not let them through. */
const mostFruitless = 3;

export type FollowState =
  | { readonly type: "connected"; readonly by: "stream" | "polling" }
  | { readonly type: "waiting"; readonly error: Error; readonly forMs: number }
  /** Of a consumer: up to where it has handled the feed could not be kept. It is tried again. */
  | { readonly type: "not_kept"; readonly error: Error };

export type FollowOptions = {
  /** The `sequence` of the last event that you have handled; 0, the default, begins with the first event there is. Of a consumer: where it begins when it is new. */
  readonly after?: number;
  /** The name under which the platform keeps where you are: it goes on there. An event counts as handled when you ask for the next one. */
  readonly consumer?: string;
  /** Only these. */
  readonly types?: readonly string[];
  /** Only what passes these, as the filters of a webhook endpoint. */
  readonly filters?: WebhookFilters;
  readonly signal?: AbortSignal;
  /** How long nothing may come, not even the platform's sign of life, before the connection counts as broken. */
  readonly silenceMs?: number;
  /** Told of each connection and each break. */
  readonly onState?: (state: FollowState) => void;
};

class NoStream extends HeliographError {}

/** An event, or only that there is none of those asked for up to a number. */
type Told = { readonly sequence: number; readonly event?: LifecycleEvent };

type StreamOptions = { readonly silenceMs?: number; readonly onOpen?: () => void };

/** One connection of the stream, from its answer to its end. Throws when it is refused, or silent. */
async function* streamed(
  settings: Settings,
  row: Row,
  query: Query,
  options: AnyOptions,
  { silenceMs = defaultSilenceMs, onOpen }: StreamOptions = {},
): AsyncGenerator<Told, void, undefined> {
  const time = scope(silenceMs, options.signal);
  let body: ReadableStream<Uint8Array> | undefined;
  try {
    const request = outgoing(settings, row, [], { query, options });
    const answer = await sendOnce(settings, request, await keyOf(settings), time.signal);
    if (!answer.ok) throw await refusalOf(answer);
    body = answer.body ?? undefined;
    if (!body || !answer.headers.get("content-type")?.startsWith("text/event-stream"))
      throw new NoStream("The answer is no stream.");
    onOpen?.();
    for await (const { id, data } of eventsIn(body, time.renew)) {
      const event = data === undefined ? undefined : (JSON.parse(data) as LifecycleEvent);
      if (event) yield { sequence: event.sequence, event };
      else if (/^\d{1,15}$/.test(id!)) yield { sequence: Number(id) };
    }
  } finally {
    time.close();
    // The reader has gone: the connection too.
    await body?.cancel().catch(() => undefined);
  }
}

/** The events of one connection of the stream. */
export async function* streamOnce(
  ...given: Parameters<typeof streamed>
): AsyncGenerator<LifecycleEvent, void, undefined> {
  for await (const { event } of streamed(...given)) if (event) yield event;
}

/** What another connection would not change. A reset of the sandbox ends those who wait with `conflict`. */
const isFinal = (error: unknown): boolean =>
  error instanceof ProblemError &&
  error.status < 500 &&
  error.code !== "conflict" &&
  error.status !== 429 &&
  error.status !== 408;

type FeedRows = { readonly stream: Row; readonly page: Row } & PlaceRows;

/**
 * Every event behind `after`, once and in order, for ever: it connects again behind the last one when the connection breaks, falls silent, loses something or is refused for a
 * moment, and polls where no stream comes through. It ends with `signal`, whose reason it throws, or with a refusal that stays, such as a revoked key.
 */
export async function* follow(
  settings: Settings,
  rows: FeedRows,
  options: FollowOptions,
): AsyncGenerator<LifecycleEvent, void, undefined> {
  const { consumer, onState } = options;
  const notKept = (error: Error): void => onState?.({ type: "not_kept", error });
  const place = consumer === undefined ? undefined : new Place(settings, rows, consumer, notKept);
  try {
    for await (const { sequence, event } of told(settings, rows, options, place)) {
      if (event) yield event;
      // Asked for the next one: this one is done.
      place?.handled(sequence);
    }
  } finally {
    await place?.close();
  }
}

const queryOf = ({ types, filters }: FollowOptions): Query => ({
  ...(types && { types }),
  ...(filters && { filters: JSON.stringify(filters) }),
});

async function* told(
  settings: Settings,
  rows: FeedRows,
  given: FollowOptions,
  place: Place | undefined,
): AsyncGenerator<Told, void, undefined> {
  const { after = 0, signal, onState, silenceMs } = given;
  let last = place === undefined ? after : undefined;
  let failures = 0;
  let fruitless = 0;
  let streamsFromMs = 0;
  const options = signal ? { signal } : {};
  const connected = (by: "stream" | "polling") => (): void => onState?.({ type: "connected", by });
  const open = { onOpen: connected("stream"), ...(silenceMs !== undefined && { silenceMs }) };
  for (;;) {
    signal?.throwIfAborted();
    const streams = performance.now() >= streamsFromMs && fruitless < mostFruitless;
    let error: Error;
    try {
      last ??= await place!.open(after, signal);
      const query = { after: last, ...queryOf(given) };
      const events = streams
        ? streamed(settings, rows.stream, query, options, open)
        : polled(settings, rows.page, query, options, connected("polling"));
      for await (const one of events) {
        failures = fruitless = 0;
        if (one.sequence <= last) continue;
        const { previous_sequence: previous = last } = one.event ?? {};
        if (previous > last)
          throw new HeliographError(`Nothing came between ${last} and ${previous}.`);
        last = one.sequence;
        yield one;
      }
      // A server that stops ends its streams, and a poll ends to let a stream be tried again.
      if (!streams) {
        fruitless = 0;
        continue;
      }
      error = new HeliographError("The stream ended.");
    } catch (thrown) {
      signal?.throwIfAborted();
      if (isFinal(thrown)) throw thrown;
      error = thrown as Error;
      const isFull = thrown instanceof ProblemError && thrown.status === 429;
      const isStream = !(thrown instanceof NoStream);
      if (streams && (isFull || !isStream)) streamsFromMs = performance.now() + pollForMs;
      if (!isStream) continue;
    }
    failures += 1;
    if (streams) fruitless += 1;
    const asked = error instanceof ProblemError ? error.retryAfterMs : undefined;
    const forMs =
      asked === undefined ? pauseMs(failures, Math.random()) : Math.min(asked, pollForMs);
    onState?.({ type: "waiting", error, forMs });
    await pause(forMs, signal);
  }
}

async function* polled(
  settings: Settings,
  row: Row,
  query: Query & { readonly after: number },
  options: AnyOptions,
  onOpen: () => void,
): AsyncGenerator<Told, void, undefined> {
  const untilMs = performance.now() + pollForMs;
  let { after } = query;
  let isOpen = false;
  while (performance.now() < untilMs) {
    const asked = { ...query, after, wait: isOpen ? pollSeconds : 0 };
    const request = outgoing(settings, row, [], { query: asked, options });
    const page = (await call(settings, request)) as LifecycleEventPage;
    if (!isOpen) onOpen();
    isOpen = true;
    for (const event of page.data) yield { sequence: event.sequence, event };
    after = page.next_after;
    yield { sequence: after };
  }
}

/** The `sequence` of the newest event, 0 when there is none: `follow` with it as `after` begins with what comes next. */
export async function head(settings: Settings, row: Row, options: AnyOptions): Promise<number> {
  const query = { before: Number.MAX_SAFE_INTEGER, limit: 1 };
  const request = outgoing(settings, row, [], { query, options });
  return ((await call(settings, request)) as LifecycleEventPage).next_after;
}
