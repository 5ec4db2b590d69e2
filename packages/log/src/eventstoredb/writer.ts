import { randomUUID } from "node:crypto";
import { failpoint } from "@heliograph/contracts";
import { encodeAppend, expectedRevision, type Encoded } from "../check.ts";
import { FairQueue, partnerOf } from "../fair-queue.ts";
import type { AppendWatch } from "../watch.ts";
import { LogUnavailable, type Append, type Outcome, type Validate } from "../types.ts";
import type { Answer, Appender } from "./appender.ts";
import { propose, streamName, type Decoded, type Proposed } from "./codec.ts";
import { callTimeoutMs, unavailable, within } from "./connection.ts";
import type { Feed } from "./feed.ts";
import type { Reader } from "./reader.ts";

/**
 * Appends under way at once; the rest wait for their turn, and their time has not begun. They share one call, so this is only how much a node has to do at once: 64, 256 and 1,024
 * came to the same speed where a node answers in a millisecond, and 256 leave 12,000 appends a second to one that takes 20.
 */
const mostInFlight = 256;
/** An append's own event comes back by the subscription within milliseconds, later under load; after so long, or without a subscription, it is read instead. */
const confirmMs = 1_000;
/** Of all that wait, in characters of JSON: as much as the PostgreSQL driver holds. */
const mostWaitingCharacters = 256 * 1_048_576;
/** The last attempt of an append has what is left of its time, and this at least. */
const leastAttemptMs = 500;
const retryFirstMs = 50;
const retryLastMs = 500;
const probeMs = 300;

export type WriterOptions = {
  readonly namespace: string;
  readonly validate: Validate | undefined;
  readonly maxWaiting: number;
  /** For one append, over all its attempts. */
  readonly appendTimeoutMs: number;
  readonly onError: (error: unknown) => void;
  readonly watch: AppendWatch;
};

type Refused = Exclude<Answer, { readonly kind: "stored" }>;
type Sent = Refused | { readonly kind: "stored"; readonly last: Decoded };

/**
 * Appends, each with a time-out of its own. `any` becomes the exact revision that was read, because only exact ones are safe to repeat: after an error nobody knows
 * whether the events were stored, so the same ids are offered again until the server says that they are there, or why not.
 *
 * The server gives the same answer to an append and to its repetition. Which of them it was is told by the event itself, as it comes back by the subscription: it carries
 * the mark of the call that wrote it, its time and its place.
 */
export class Writer {
  readonly #appender: Appender;
  readonly #reader: Reader;
  readonly #feed: Feed;
  readonly #options: WriterOptions;
  /** The last append of each stream that has some. */
  readonly #streams = new Map<string, Promise<unknown>>();
  /** By revision and stream: who waits to see an event come by the subscription. */
  readonly #confirming = new Map<string, (decoded: Decoded) => void>();
  readonly #turns = new FairQueue<() => void>();
  #inFlight = 0;
  #waiting = 0;
  #waitingCharacters = 0;
  #closed = false;
  #down: Promise<void> | undefined;
  readonly #stopListening: () => void;

  constructor(appender: Appender, reader: Reader, feed: Feed, options: WriterOptions) {
    this.#appender = appender;
    this.#reader = reader;
    this.#feed = feed;
    this.#options = options;
    options.watch.opened(() => this.#waiting);
    this.#stopListening = feed.onEvent((decoded) => {
      const { stream, revision } = decoded.event;
      this.#confirming.get(`${revision} ${stream}`)?.(decoded);
    });
  }

  async append(appends: readonly Append[]): Promise<readonly Outcome[]> {
    const { maxWaiting, validate } = this.#options;
    if (this.#closed) throw new LogUnavailable("the log is closed");
    if (
      this.#waiting + appends.length > maxWaiting ||
      this.#waitingCharacters > mostWaitingCharacters
    )
      throw new LogUnavailable(`${this.#waiting} appends wait already`);
    if (this.#down !== undefined) throw new LogUnavailable("EventStoreDB does not answer");
    const outcomes = appends.map((one) => {
      const encoded = encodeAppend(one, validate);
      if (typeof encoded === "string")
        return Promise.resolve<Outcome>({ kind: "invalid", message: encoded });
      const characters = encoded.reduce(
        (sum, text) => sum + text.data.length + text.metadata.length,
        0,
      );
      return this.#enqueue(one, encoded, characters);
    });
    const settled = await Promise.allSettled(outcomes);
    const done = settled.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    if (done.length === settled.length) return done;
    const errors = settled.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
    throw failureOf(errors, done);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#streams.values());
    this.#appender.close();
    this.#stopListening();
  }

  /** Appends to one stream one after another: their order is the caller's. */
  #enqueue(one: Append, texts: readonly Encoded[], characters: number): Promise<Outcome> {
    this.#waiting++;
    this.#waitingCharacters += characters;
    const before = this.#streams.get(one.stream) ?? Promise.resolve();
    const outcome = before
      .then(() => this.#turn(one))
      .then(() => this.#attempt(one, texts))
      .finally(() => {
        this.#waiting--;
        this.#waitingCharacters -= characters;
        this.#inFlight--;
        this.#turns.shift()?.();
      });
    const quiet = outcome.catch(() => undefined);
    this.#streams.set(one.stream, quiet);
    void quiet.then(() => {
      if (this.#streams.get(one.stream) === quiet) this.#streams.delete(one.stream);
    });
    return outcome;
  }

  async #turn(one: Append): Promise<void> {
    while (this.#inFlight >= mostInFlight)
      await new Promise<void>((resolve) =>
        this.#turns.push(partnerOf(one), resolve, one.events.length),
      );
    this.#inFlight++;
  }

  async #attempt(one: Append, texts: readonly Encoded[]): Promise<Outcome> {
    const { appendTimeoutMs, onError, watch } = this.#options;
    // Found out while this one waited: nothing of it has been sent.
    if (this.#down !== undefined) throw new LogUnavailable("EventStoreDB does not answer");
    const startedAt = performance.now();
    const deadline = startedAt + appendTimeoutMs;
    const by = randomUUID();
    const events = one.events.map((event, index) => propose(event, texts[index]!, { by }));
    const wanted = expectedRevision(one.expected);
    let unknown = false;
    let retryMs = retryFirstMs;
    let expected = wanted;
    for (;;) {
      let answer: Sent;
      try {
        if (wanted === -2 && !unknown) expected = await lastRevision(this.#reader, one.stream);
        await failpoint("log.before_append");
        const leftMs = Math.max(leastAttemptMs, deadline - performance.now());
        const timeoutMs = Math.min(callTimeoutMs, leftMs);
        answer = await this.#send(one, events, expected, timeoutMs, () => (unknown = true));
        await failpoint("log.after_append");
      } catch (error) {
        onError(error);
        if (performance.now() + retryMs > deadline || this.#closed) {
          this.#probe();
          throw unavailable(error, unknown);
        }
        await new Promise((resolve) => setTimeout(resolve, retryMs * (0.5 + Math.random())));
        retryMs = Math.min(retryMs * 2, retryLastMs);
        continue;
      }
      if (answer.kind === "stored") {
        const { event, by: writtenBy } = answer.last;
        const { revision, position, recordedAt } = event;
        watch.flushed(events.length, performance.now() - startedAt);
        const kind = writtenBy === by ? "appended" : "duplicate";
        return { kind, revision, position, recordedAt };
      }
      if (answer.kind !== "conflict" || wanted !== -2) return refusal(answer);
      // Somebody was quicker, and what was sent with an unknown end was not stored: look where the stream ends now.
      unknown = false;
      if (performance.now() > deadline)
        throw new LogUnavailable(`${one.stream} has too many writers`);
    }
  }

  /** One attempt, and the last event of the append as the server has it now. */
  async #send(
    one: Append,
    events: readonly Proposed[],
    expected: number,
    timeoutMs: number,
    sent: () => void,
  ): Promise<Sent> {
    const last = expected + events.length;
    const key = `${last} ${one.stream}`;
    const seen = Promise.withResolvers<Decoded>();
    this.#confirming.set(key, seen.resolve);
    try {
      sent();
      const stream = streamName(this.#options.namespace, one.stream);
      const answer = await this.#appender.append(stream, events, expected, timeoutMs);
      if (answer.kind !== "stored") return answer;
      // What has passed already came before this call: it is read.
      const { commit } = answer;
      const coming = this.#feed.live && commit !== undefined && !this.#feed.passed(commit);
      const confirmed = await within(seen.promise, coming ? confirmMs : 0).catch(() => undefined);
      if (confirmed !== undefined) return { kind: "stored", last: confirmed };
      const stored = await within(this.#reader.readOne(one.stream, last), callTimeoutMs);
      if (stored === undefined) throw new Error("an event that was appended cannot be read");
      return { kind: "stored", last: stored };
    } finally {
      this.#confirming.delete(key);
    }
  }

  /** While the server is away appends fail at once, until it answers again. */
  #probe(): void {
    this.#down ??= this.#untilItAnswers().finally(() => (this.#down = undefined));
  }

  async #untilItAnswers(): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#reader.end();
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, probeMs));
      }
    }
  }
}

function refusal(answer: Refused): Outcome {
  switch (answer.kind) {
    case "conflict":
      return answer;
    case "deleted":
      return { kind: "invalid", message: "the stream was deleted" };
    case "too_large":
      return { kind: "invalid", message: "the append is larger than the server takes" };
  }
}

async function lastRevision(reader: Pick<Reader, "readOne">, stream: string): Promise<number> {
  const last = await within(reader.readOne(stream), callTimeoutMs);
  return last?.event.revision ?? -1;
}

/** One error for the whole call: whoever hears that nothing was stored may act on it, so it must be true of every append. */
function failureOf(errors: readonly unknown[], done: readonly Outcome[]): unknown {
  const unknown = errors.find((each) => each instanceof LogUnavailable && each.outcomeUnknown);
  if (unknown !== undefined || !done.some(({ kind }) => kind === "appended"))
    return unknown ?? errors[0];
  const message = `${errors.length} of ${errors.length + done.length} appends were not stored`;
  return new LogUnavailable(message, { outcomeUnknown: true, cause: errors[0] });
}
