import pg from "pg";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { clientConfig, isDisconnect, isOutOfService, sqlState } from "./connection.ts";
import {
  batchStatement,
  decodeBatch,
  decodeExact,
  exactStatement,
  isExact,
  type Decided,
} from "./flush.ts";
import { Queue, type Call, type FlushLimits, type Waiting } from "./queue.ts";
import { confirm, endBackends, endConfirmation, storedSince } from "./undecided.ts";
import { makeBell } from "../bell.ts";
import { encodeAppend } from "../check.ts";
import { Gathering } from "../gathering.ts";
import { Companions, type Item, type Party } from "../companions.ts";
import type { AppendWatch } from "../watch.ts";
import {
  LogUnavailable,
  type Append,
  type Outcome,
  type RecordedEvent,
  type Upcast,
  type Validate,
} from "../types.ts";

/** Where a longer flush no longer pays: the commit is 5 % of it, and latency grows with every event more. */
export const DEFAULT_FLUSH: FlushLimits = { maxEvents: 500, maxBytes: 1_048_576 };
export const DEFAULT_MAX_WAITING = 10_000;
/** 10,000 waiting appends of a few KB fit many times; as many of the largest size must not. */
const MAX_WAITING_BYTES = 256 * 1_048_576;

/** Two on one pipelined connection: Node prepares the second while PostgreSQL makes the first durable. */
const MAX_FLIGHTS = 2;
/** A flush takes milliseconds. One without an answer for this long has lost its connection. */
const FLUSH_TIMEOUT_MS = 5_000;
/** An append whose commit is unknown, or that was rolled back, is tried again for this long. */
const RETRY_FOR_MS = 5_000;
const MAX_ATTEMPTS = 10;
/** After a refusal the function decides what comes in company for so long: it tells which are refused, where a statement fails for all. */
const DOUBT_MS = 1_000;
const PROBE_FIRST_MS = 50;
const PROBE_LAST_MS = 2_000;
/** Rolled back by PostgreSQL through no fault of the append: serialization, deadlock, lock and statement timeouts. */
const RETRYABLE = new Set(["40001", "40P01", "55P03", "57014"]);

export type WriterOptions = {
  readonly connection: pg.PoolConfig;
  readonly applicationName: string;
  readonly validate: Validate | undefined;
  readonly upcast: Upcast | undefined;
  readonly maxWaiting: number;
  readonly flush: FlushLimits;
  /** Called between commit and answer with what was stored, when `keepEvents` says that it is of use. */
  readonly committed: (events: readonly RecordedEvent[], bytes: number) => void;
  readonly keepEvents: () => boolean;
  readonly failpoint: (name: string) => void | Promise<void>;
  readonly onError: (error: unknown) => void;
  readonly watch: AppendWatch;
};

type Flight = {
  readonly items: readonly Waiting[];
  /** All its revisions are known: it is decided by one statement, and not by the function. */
  readonly exact: boolean;
  /** A position that was committed before this was sent. */
  readonly since: bigint;
  /** What goes along with it: then it is stored right behind `since`, or not at all. */
  readonly party: Party | undefined;
};
type Connected = { readonly client: pg.Client; readonly name: string; alive: boolean };

/**
 * Group commit. Appends queue while a flush is under way and the next flush takes what has gathered; how long a few wait for more, `Gathering` says.
 *
 * An append is in one of four places: it waits in the queue, is in a flight (sent, without an answer), is undecided (its connection broke: nobody knows whether it was stored), or is
 * settled. An answer is never a guess: what is undecided is looked up before anything is sent again, so that nothing is stored twice.
 *
 *            take                 answer                       The writer itself is
 *     queue ──────▶ flight ───────────────────▶ settled
 *       ▲ ▲           │                            ▲           connected   `connected` is set; flights are sent.
 *       │ │ rolled    │ connection lost            │              │ error or end of the connection: lost()
 *       │ └─ back ────┤                            │              ▼
 *       │             ▼                            │           recovering  appends queue, nothing is sent. It connects anew,
 *       └────────  undecided ──────────────────────┘              │        waits until the last flight has failed, ends the
 *     not stored              stored after all, or                │        old backends (they could still commit what they had
 *                             given up: outcomeUnknown            │        received) unless one waits for a standby, commits
 *                                                                 │        something itself, and looks up what is undecided
 *                                                                 ├─▶ connected   when all that has worked
 *                                                                 ▼
 *                                                              down        each attempt that fails: what queues fails, and new
 *                                                                          appends fail at once instead of queueing up behind a
 *                                                                          dead database. It goes on trying, 50 ms to 2 s apart;
 *                                                                          after 5 s the undecided fail as `outcomeUnknown`
 *
 * Errors of a flight whose connection is well: one that PostgreSQL rolled back through no fault of the append is sent again (10 times, for 5 s); a lack of disk or memory
 * fails its appends as unavailable; anything else is one append's fault, so that a flight of several goes back as flights of one, and a flight of one fails. The statements for
 * revisions that are known hand what they cannot decide (revision taken, or not there yet; events without a seal) to `append_batch`: `slow`.
 */
export class Writer {
  readonly #options: WriterOptions;
  readonly #queue: Queue;
  readonly #companions: Companions;
  readonly #pace = new Gathering(() => this.#schedule());
  readonly #flights: Flight[] = [];
  /** What was under way when a connection broke, and the connections that may still be working on it. */
  #undecided: Flight[] = [];
  readonly #suspects = new Set<string>();
  /** Undefined also until the first connection has answered: one that ends before is the opener's failure, and nothing recovers it. */
  #connected: Connected | undefined;
  #down = false;
  #recovering: Promise<void> | undefined;
  #closing = false;
  #scheduled = false;
  readonly #landed = makeBell();
  /** Everything up to here was committed before any flush now under way was sent. */
  #known = 0n;
  /** Something was refused lately, and more may be: a reactor that goes over its events again appends duplicates by the hundred. */
  #doubtUntil = 0;

  private constructor(options: WriterOptions) {
    this.#options = options;
    this.#queue = new Queue(options.flush);
    this.#companions = new Companions(options.validate, options.onError);
  }

  get accompany(): Companions["add"] {
    return this.#companions.add;
  }

  /** Throws what the first connection fails with. */
  static async open(options: WriterOptions): Promise<Writer> {
    const writer = new Writer(options);
    options.watch.opened(() => writer.#queue.size);
    const first = await writer.#connect();
    writer.#known = await writer
      .#confirm(first)
      .then(() => headOf(first))
      .catch((error: unknown) => {
        void first.client.end().catch(() => {});
        throw error;
      });
    writer.#connected = first;
    if (!first.alive) writer.#lost(first);
    return writer;
  }

  readonly append = (appends: readonly Append[]): Promise<readonly Outcome[]> => {
    if (this.#closing) return Promise.reject(new LogUnavailable("the log is closed"));
    if (this.#down) return Promise.reject(unavailable(undefined));
    const { maxWaiting, validate } = this.#options;
    if (this.#queue.size + appends.length > maxWaiting || this.#queue.bytes > MAX_WAITING_BYTES) {
      return Promise.reject(
        new LogUnavailable("too many appends are waiting", { retryAfterMs: 250 }),
      );
    }
    if (appends.length === 0) return Promise.resolve([]);
    const { promise, resolve, reject } = Promise.withResolvers<readonly Outcome[]>();
    const call: Call = { outcomes: [], left: appends.length, resolve, reject };
    for (let index = 0; index < appends.length; index++) {
      const append = appends[index]!;
      const encoded = encodeAppend(append, validate);
      if (typeof encoded === "string") {
        call.outcomes[index] = { kind: "invalid", message: encoded };
        if (--call.left === 0) resolve(call.outcomes);
        continue;
      }
      let bytes = 0;
      for (const { data, metadata } of encoded) bytes += data.length + metadata.length;
      this.#queue.add({ append, encoded, call, index, bytes, ...untried });
    }
    if (!appends.every(({ patient }) => patient))
      this.#pace.called(performance.now(), appends[0]!.crowded);
    this.#schedule();
    return promise;
  };

  async close(): Promise<void> {
    this.#closing = true;
    while (this.#queue.size > 0) await delay(2);
    await this.#recovering;
    const last = this.#connected;
    this.#connected = undefined;
    await last?.client.end().catch(() => {});
  }

  async #connect(): Promise<Connected> {
    // The unique part comes first: PostgreSQL cuts the name off after 63 bytes.
    const name = `${randomUUID()} ${this.#options.applicationName}`.slice(0, 63);
    const client = new pg.Client({
      ...clientConfig(this.#options.connection, name),
      pipeline: true,
      query_timeout: FLUSH_TIMEOUT_MS,
    } as pg.ClientConfig);
    const made: Connected = { client, name, alive: true };
    client.on("error", () => this.#lost(made));
    client.on("end", () => this.#lost(made));
    try {
      await client.connect();
      return made;
    } catch (error) {
      // Not awaited: on a dead line it may never end.
      void client.end().catch(() => {});
      throw error;
    }
  }

  /** Throws, and leaves nothing behind, when what is committed does not reach the standby that commits wait for. */
  async #confirm({ client, name }: Connected): Promise<void> {
    try {
      await confirm(client);
    } catch (error) {
      const other = await this.#connect();
      await endConfirmation(other.client, name).finally(
        () => void other.client.end().catch(() => {}),
      );
      throw error;
    }
  }

  #lost(which: Connected): void {
    which.alive = false;
    if (this.#connected !== which) return;
    this.#connected = undefined;
    this.#suspects.add(which.name);
    // Frees the socket, and fails whatever is still under way on it.
    void which.client.end().catch(() => {});
    this.#recovering ??= this.#recover().finally(() => {
      this.#recovering = undefined;
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // After the callbacks of this turn: callers whose answers just came have then queued their next append.
    setImmediate(this.#pump);
  }

  readonly #pump = (): void => {
    this.#scheduled = false;
    const full = this.#options.flush.maxEvents;
    while (this.#connected !== undefined && this.#flights.length < MAX_FLIGHTS) {
      const queue = this.#queue;
      // A second flight is worth it when it is a full one; a small one would only split the group.
      if (
        this.#flights.length > 0
          ? queue.ready < full
          : this.#pace.waits(queue.gathered, queue.patient)
      )
        return;
      const items = queue.take();
      const giveUpAt = performance.now() + RETRY_FOR_MS;
      for (const item of items) item.giveUpAt ||= giveUpAt;
      const exact = this.#areExact(items);
      // Behind another that is under way nobody knows the positions yet.
      const isFirst = exact && this.#flights.length === 0;
      const since = this.#known;
      const party = isFirst
        ? this.#companions.join(items, since, (stream) => this.#queue.has(stream))
        : undefined;
      const flight = { items, exact, since, party };
      this.#flights.push(flight);
      void this.#fly(this.#connected, flight);
    }
  };

  async #fly(target: Connected, flight: Flight): Promise<void> {
    const { items, exact, since, party } = flight;
    const { failpoint, keepEvents, upcast, watch } = this.#options;
    const all: readonly Item[] = party === undefined ? items : [...items, ...party.items];
    const startedAt = performance.now();
    let decided: Decided | undefined;
    try {
      const before = failpoint("log.before_append");
      if (before !== undefined) await before;
      const statement = exact
        ? exactStatement(all, party === undefined ? undefined : since)
        : batchStatement(items);
      const { rows } = await target.client.query({ ...statement, rowMode: "array" });
      const keep = keepEvents();
      decided = exact
        ? decodeExact(all, rows[0], keep, upcast)
        : decodeBatch(items, rows[0]!, keep, upcast);
      const after = failpoint("log.after_append");
      if (after !== undefined) await after;
    } catch (error) {
      this.#land(flight);
      this.#failed(target, flight, error);
      return this.#schedule();
    }
    // Not within the try: what is stored is never taken for what failed, and sent again.
    this.#land(flight);
    if (decided !== undefined) {
      watch.flushed(eventsOf(all), performance.now() - startedAt);
      this.#answer(flight, decided);
    } else if (party !== undefined) this.#sendAlone(flight, party);
    else this.#sendSlowly(items);
    this.#schedule();
  }

  #land(flight: Flight): void {
    this.#flights.splice(this.#flights.indexOf(flight), 1);
    this.#landed.ring();
  }

  #answer({ items, party }: Flight, { outcomes, events, bytes, head }: Decided): void {
    party?.over(true);
    if (head > this.#known) {
      this.#known = head;
      if (events.length > 0) this.#companions.stored(events);
      this.#options.committed(events, bytes);
    }
    for (let index = 0; index < items.length; index++)
      this.#queue.settle(items[index]!, outcomes[index]!);
  }

  #areExact(items: readonly Waiting[]): boolean {
    if (items.length > 1 && performance.now() < this.#doubtUntil) return false;
    return isExact(items) && !items.some(({ slow }) => slow);
  }

  /** Others have stored something since, or what went along was in its way. */
  #sendAlone({ items }: Flight, party: Party): void {
    party.over(false);
    this.#companions.missed();
    this.#queue.putBack(items);
  }

  #sendSlowly(items: readonly Waiting[]): void {
    for (const item of items) item.slow = true;
    if (items.length > 1) this.#doubtUntil = performance.now() + DOUBT_MS;
    this.#queue.putBack(items);
  }

  #failed(target: Connected, flight: Flight, error: unknown): void {
    const { items, party } = flight;
    const { onError } = this.#options;
    if (isDisconnect(error)) {
      // It is stored where the flight is: whoever sent it along finds it there.
      party?.over(false);
      this.#undecided.push(flight);
      this.#lost(target);
    } else if (party !== undefined) {
      this.#sendAlone(flight, party);
    } else if (flight.exact && sqlState(error) === "23505") {
      this.#sendSlowly(items);
    } else if (RETRYABLE.has(sqlState(error)!)) {
      this.#tryAgain(items, error);
    } else if (isOutOfService(error)) {
      onError(error);
      for (const item of items) this.#queue.fail(item, unavailable(error));
    } else if (items.length > 1) {
      onError(error);
      for (const item of items) item.alone = true;
      this.#queue.putBack(items);
    } else {
      onError(error);
      for (const item of items) this.#queue.fail(item, error);
    }
  }

  /** For appends that are known not to be stored. */
  #tryAgain(items: readonly Waiting[], error: unknown): void {
    const again: Waiting[] = [];
    for (const item of items) {
      if (++item.attempts < MAX_ATTEMPTS && performance.now() < item.giveUpAt) again.push(item);
      else this.#queue.fail(item, unavailable(error));
    }
    this.#queue.putBack(again);
  }

  async #recover(): Promise<void> {
    const giveUpAt = performance.now() + RETRY_FOR_MS;
    let probeMs = PROBE_FIRST_MS;
    for (;;) {
      let next: Connected | undefined;
      try {
        next = await this.#connect();
        while (this.#flights.length > 0) await this.#landed.wait();
        await endBackends(next.client, [...this.#suspects]);
        this.#suspects.clear();
        await this.#confirm(next);
        await this.#decideUndecided(next);
        if (!next.alive) throw new Error("the new connection was lost at once");
        this.#connected = next;
        this.#down = false;
        this.#schedule();
        return;
      } catch (error) {
        this.#options.onError(error);
        void next?.client.end().catch(() => {});
        this.#down = true;
        this.#queue.failAll(unavailable(error));
        if (performance.now() >= giveUpAt || this.#closing) {
          while (this.#flights.length > 0) await this.#landed.wait();
          for (const item of this.#undecided.flatMap((flight) => flight.items)) {
            this.#queue.fail(item, unavailable(error, true));
          }
          this.#undecided = [];
        }
        if (this.#closing) return;
        await delay(probeMs);
        probeMs = Math.min(probeMs * 2, PROBE_LAST_MS);
      }
    }
  }

  /** Answers what was stored after all, and puts the rest back. */
  async #decideUndecided({ client }: Connected): Promise<void> {
    if (this.#undecided.length === 0) return;
    const items = this.#undecided.flatMap((flight) => flight.items);
    const since = this.#undecided.reduce(
      (low, { since: at }) => (at < low ? at : low),
      this.#known,
    );
    const outcomes = await storedSince(client, since, items);
    this.#undecided = [];
    const absent: Waiting[] = [];
    for (const [index, item] of items.entries()) {
      const outcome = outcomes[index];
      if (outcome === undefined) {
        absent.push(item);
        continue;
      }
      if (outcome.position > this.#known) this.#known = outcome.position;
      this.#queue.settle(item, outcome);
    }
    this.#options.committed([], 0);
    this.#tryAgain(absent, new Error("the connection broke each time"));
  }
}

const untried = { attempts: 0, giveUpAt: 0, alone: false, slow: false };

const eventsOf = (items: readonly Item[]): number =>
  items.reduce((sum, { encoded }) => sum + encoded.length, 0);

async function headOf({ client }: Connected): Promise<bigint> {
  const { rows } = await client.query("select position from log.head");
  return BigInt(rows[0].position);
}

function unavailable(cause: unknown, outcomeUnknown = false): LogUnavailable {
  return new LogUnavailable("the log's database is not available", { cause, outcomeUnknown });
}
