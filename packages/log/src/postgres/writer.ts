import pg from "pg";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { clientConfig, isDisconnect, isOutOfService, sqlState } from "./connection.ts";
import { batchStatement, decodeBatch, decodeSingle, isSingle, singleStatement } from "./flush.ts";
import type { Decided } from "./flush.ts";
import { Queue, type Call, type FlushLimits, type Waiting } from "./queue.ts";
import { makeBell } from "../bell.ts";
import { encodeAppend } from "../check.ts";
import { LogUnavailable } from "../types.ts";
import type { Append, Outcome, RecordedEvent, Upcast, Validate } from "../types.ts";

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
};

export type Writer = {
  append(appends: readonly Append[]): Promise<readonly Outcome[]>;
  close(): Promise<void>;
};

type Flight = {
  readonly items: readonly Waiting[];
  readonly single: boolean;
  /** A position that was committed before this was sent. */
  readonly since: bigint;
};
type Connected = { readonly client: pg.Client; readonly name: string; alive: boolean };

/**
 * Group commit. Appends queue while a flush is under way and the next flush takes what has gathered: no timer, so one
 * caller alone waits for nothing, and a thousand share a commit.
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
 *                             given up: outcomeUnknown            │        received) and looks up what is undecided
 *                                                                 ├─▶ connected   when all that has worked
 *                                                                 ▼
 *                                                              down        each attempt that fails: what queues fails, and new
 *                                                                          appends fail at once instead of queueing up behind a
 *                                                                          dead database. It goes on trying, 50 ms to 2 s apart;
 *                                                                          after 5 s the undecided fail as `outcomeUnknown`
 *
 * Errors of a flight whose connection is well: one that PostgreSQL rolled back through no fault of the append is sent again (10 times, for 5 s); a lack of disk or memory
 * fails its appends as unavailable; anything else is one append's fault, so that a flight of several goes back as flights of one, and a flight of one fails. The statement for a
 * single event hands what it cannot decide (revision taken, or not there yet; events without a seal) to `append_batch`: `slow`.
 */
export async function openWriter(options: WriterOptions): Promise<Writer> {
  const { maxWaiting, flush, committed, keepEvents, failpoint, onError, upcast } = options;
  const queue = new Queue();
  const flights: Flight[] = [];
  /** What was under way when a connection broke, and the connections that may still be working on it. */
  let undecided: Flight[] = [];
  const suspects = new Set<string>();
  /** Undefined also until the first connection has answered: one that ends before is the opener's failure, and nothing recovers it. */
  let connected: Connected | undefined;
  let down = false;
  let recovering: Promise<void> | undefined;
  let closing = false;
  let scheduled = false;
  const landed = makeBell();
  const first = await connect();
  /** Everything up to here was committed before any flush now under way was sent. */
  let known = await headOf(first).catch((error: unknown) => {
    void first.client.end().catch(() => {});
    throw error;
  });
  connected = first;
  if (!first.alive) lost(first);

  async function connect(): Promise<Connected> {
    // The unique part comes first: PostgreSQL cuts the name off after 63 bytes.
    const name = `${randomUUID()} ${options.applicationName}`.slice(0, 63);
    const client = new pg.Client({
      ...clientConfig(options.connection, name),
      pipeline: true,
      query_timeout: FLUSH_TIMEOUT_MS,
    } as pg.ClientConfig);
    const made: Connected = { client, name, alive: true };
    client.on("error", () => lost(made));
    client.on("end", () => lost(made));
    try {
      await client.connect();
      return made;
    } catch (error) {
      // Not awaited: on a dead line it may never end.
      void client.end().catch(() => {});
      throw error;
    }
  }

  function lost(which: Connected): void {
    which.alive = false;
    if (connected !== which) return;
    connected = undefined;
    suspects.add(which.name);
    // Frees the socket, and fails whatever is still under way on it.
    void which.client.end().catch(() => {});
    recovering ??= recover().finally(() => {
      recovering = undefined;
    });
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    // After the callbacks of this turn: callers whose answers just came have then queued their next append.
    setImmediate(pump);
  }

  function pump(): void {
    scheduled = false;
    while (connected !== undefined && flights.length < MAX_FLIGHTS) {
      const ready = queue.ready;
      // A second flight is worth it when it is a full one; a small one would only split the group.
      if (ready === 0 || (flights.length > 0 && ready < flush.maxEvents)) return;
      const items = queue.take(flush);
      const giveUpAt = Date.now() + RETRY_FOR_MS;
      for (const item of items) item.giveUpAt ||= giveUpAt;
      const flight = { items, single: isSingle(items) && !items[0]!.slow, since: known };
      flights.push(flight);
      void fly(connected, flight);
    }
  }

  async function fly(target: Connected, flight: Flight): Promise<void> {
    const { items, single } = flight;
    try {
      const before = failpoint("log.before_append");
      if (before !== undefined) await before;
      const statement = single ? singleStatement(items[0]!) : batchStatement(items);
      const { rows } = await target.client.query({ ...statement, rowMode: "array" });
      const keep = keepEvents();
      const decided = single
        ? decodeSingle(items[0]!, rows[0], keep, upcast)
        : decodeBatch(items, rows[0]!, keep, upcast);
      const after = failpoint("log.after_append");
      if (after !== undefined) await after;
      land(flight);
      if (decided === undefined) sendSlowly(items);
      else answer(items, decided);
    } catch (error) {
      land(flight);
      failed(target, flight, error);
    }
    schedule();
  }

  function land(flight: Flight): void {
    flights.splice(flights.indexOf(flight), 1);
    landed.ring();
  }

  function answer(items: readonly Waiting[], { outcomes, events, bytes, head }: Decided): void {
    if (head > known) {
      known = head;
      committed(events, bytes);
    }
    for (let index = 0; index < items.length; index++)
      queue.settle(items[index]!, outcomes[index]!);
  }

  function sendSlowly(items: readonly Waiting[]): void {
    for (const item of items) item.slow = true;
    queue.putBack(items);
  }

  function failed(target: Connected, flight: Flight, error: unknown): void {
    const { items } = flight;
    if (isDisconnect(error)) {
      undecided.push(flight);
      lost(target);
    } else if (flight.single && sqlState(error) === "23505") {
      sendSlowly(items);
    } else if (RETRYABLE.has(sqlState(error)!)) {
      tryAgain(items, error);
    } else if (isOutOfService(error)) {
      onError(error);
      for (const item of items) queue.fail(item, unavailable(error));
    } else if (items.length > 1) {
      onError(error);
      for (const item of items) item.alone = true;
      queue.putBack(items);
    } else {
      onError(error);
      for (const item of items) queue.fail(item, error);
    }
  }

  /** For appends that are known not to be stored. */
  function tryAgain(items: readonly Waiting[], error: unknown): void {
    const again: Waiting[] = [];
    for (const item of items) {
      if (++item.attempts < MAX_ATTEMPTS && Date.now() < item.giveUpAt) again.push(item);
      else queue.fail(item, unavailable(error));
    }
    queue.putBack(again);
  }

  async function recover(): Promise<void> {
    const giveUpAt = Date.now() + RETRY_FOR_MS;
    let probeMs = PROBE_FIRST_MS;
    for (;;) {
      let next: Connected | undefined;
      try {
        next = await connect();
        while (flights.length > 0) await landed.wait();
        await decideUndecided(next);
        if (!next.alive) throw new Error("the new connection was lost at once");
        connected = next;
        down = false;
        schedule();
        return;
      } catch (error) {
        onError(error);
        void next?.client.end().catch(() => {});
        down = true;
        queue.failAll(unavailable(error));
        if (Date.now() >= giveUpAt || closing) {
          while (flights.length > 0) await landed.wait();
          for (const item of undecided.flatMap((flight) => flight.items)) {
            queue.fail(item, unavailable(error, true));
          }
          undecided = [];
        }
        if (closing) return;
        await delay(probeMs);
        probeMs = Math.min(probeMs * 2, PROBE_LAST_MS);
      }
    }
  }

  /** Answers what was stored after all, and puts the rest back. */
  async function decideUndecided({ client }: Connected): Promise<void> {
    if (undecided.length === 0) return suspects.clear();
    const { rows: backends } = await client.query(END_BACKENDS, [[...suspects]]);
    if (backends.some((row) => row.gone !== "t"))
      throw new Error("the old connection is still at work");
    suspects.clear();
    const items = undecided.flatMap((flight) => flight.items);
    const since = undecided.reduce((low, { since: at }) => (at < low ? at : low), known);
    const ids = items.flatMap((item) => item.append.events.map((event) => event.id));
    const { rows } = await client.query(STORED_SINCE, [since.toString(), ids]);
    const stored = new Map(rows.map((row) => [`${row.stream}\n${row.id}`, row]));
    undecided = [];
    const absent: Waiting[] = [];
    for (const item of items) {
      const { stream, events } = item.append;
      const found = events.map((event) => stored.get(`${stream}\n${event.id}`));
      const last = found.at(-1);
      if (found.includes(undefined) || last === undefined) {
        absent.push(item);
        continue;
      }
      const position = BigInt(last.position);
      if (position > known) known = position;
      queue.settle(item, {
        kind: "appended",
        revision: Number(last.revision),
        position,
        recordedAt: Number(last.recorded_at),
      });
    }
    committed([], 0);
    tryAgain(absent, new Error("the connection broke each time"));
  }

  return {
    append(appends) {
      if (closing) return Promise.reject(new LogUnavailable("the log is closed"));
      if (down) return Promise.reject(unavailable(undefined));
      if (queue.size + appends.length > maxWaiting || queue.bytes > MAX_WAITING_BYTES) {
        return Promise.reject(
          new LogUnavailable("too many appends are waiting", { retryAfterMs: 250 }),
        );
      }
      if (appends.length === 0) return Promise.resolve([]);
      const { promise, resolve, reject } = Promise.withResolvers<readonly Outcome[]>();
      const call: Call = { outcomes: [], left: appends.length, resolve, reject };
      for (let index = 0; index < appends.length; index++) {
        const append = appends[index]!;
        const encoded = encodeAppend(append, options.validate);
        if (typeof encoded === "string") {
          call.outcomes[index] = { kind: "invalid", message: encoded };
          if (--call.left === 0) resolve(call.outcomes);
          continue;
        }
        let bytes = 0;
        for (const { data, metadata } of encoded) bytes += data.length + metadata.length;
        queue.add({
          append,
          encoded,
          call,
          index,
          bytes,
          attempts: 0,
          giveUpAt: 0,
          alone: false,
          slow: false,
        });
      }
      schedule();
      return promise;
    },

    async close() {
      closing = true;
      while (queue.size > 0) await delay(2);
      await recovering;
      const last = connected;
      connected = undefined;
      await last?.client.end().catch(() => {});
    },
  };
}

/**
 * Ends the backends of broken connections and waits for it: one could still commit what it had received. Needs no
 * privilege, because they belong to the same role.
 */
const END_BACKENDS = `select pg_terminate_backend(pid, 2000) as gone from pg_stat_activity
  where datname = current_database() and application_name = any($1::text[])`;

const STORED_SINCE = `select id, stream, revision, position, recorded_at from log.events
  where position > $1 and id = any($2::uuid[])`;

async function headOf({ client }: Connected): Promise<bigint> {
  const { rows } = await client.query("select position from log.head");
  return BigInt(rows[0].position);
}

function unavailable(cause: unknown, outcomeUnknown = false): LogUnavailable {
  return new LogUnavailable("the log's database is not available", { cause, outcomeUnknown });
}
