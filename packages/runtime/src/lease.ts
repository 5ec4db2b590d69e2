import { connectedTo, refusalOf, refusedBy } from "@heliograph/log";
import pg from "pg";
import { isMachinery, isUnanswered, oneAtATime, pause } from "./faults.ts";
import {
  endStaleHolders,
  takeOver,
  takeOverAll,
  tryLocks,
  unlock,
  type Ownership,
} from "./tables/leases.ts";

/**
 * A holder that has not shown itself for so long is stopped or cut off; its session is ended so that another may take over. A session that has just
 * been opened or used is not judged yet: after an outage all heartbeats are old, and the copies would end each other's sessions in turn.
 */
const staleHolderSeconds = 15;
/** The session's statements take milliseconds; one without an answer for so long is on a connection that went silent. */
const sessionTimeoutMs = 10_000;
/** The end of a rebuild holds the checkpoint's row for as long as it compares; it is asked for again, and other consumers have their turn meanwhile. */
const rowTimeoutMs = 2_000;
/** How often those who stand by ask. */
const askEveryMs = 300;
/** SQLSTATE of a statement that waited in vain for somebody else's lock. */
const lockNotAvailable = "55P03";

export type { Ownership } from "./tables/leases.ts";

/** Names that are asked for by one statement, with their schemas; which of them the session got, and took over. */
type Round = {
  readonly names: Map<string, string>;
  readonly answer: Promise<{
    readonly client: pg.Client;
    readonly held: ReadonlySet<string>;
    readonly taken: ReadonlyMap<string, Ownership>;
  }>;
};

/**
 * One session per process and environment holds an advisory lock per consumer, so at most one copy of each is active and a copy whose process dies is
 * replaced as soon as PostgreSQL sees the connection close. The lock gives liveness only; what keeps a stopped and continued owner from doing
 * harm is the epoch, raised at every take-over and compared at every checkpoint.
 */
export class Leases {
  readonly #config: pg.ClientConfig;
  readonly #onLost: () => void;
  readonly #timeoutMs: number;
  #client: Promise<pg.Client> | undefined;
  #closed = false;
  /** The session is shared by all consumers; a connection runs one statement at a time. */
  readonly #turn = oneAtATime();
  /** Whoever asks before it begins takes part. */
  #round: Round | undefined;

  constructor(config: pg.ClientConfig, onLost: () => void, timeoutMs = sessionTimeoutMs) {
    this.#config = config;
    this.#onLost = onLost;
    this.#timeoutMs = timeoutMs;
  }

  async #session(): Promise<pg.Client> {
    if (this.#client) return this.#client;
    const refusal = refusalOf(this.#config);
    if (refusal !== undefined) throw refusal;
    const opening = (async () => {
      const client = new pg.Client({
        ...this.#config,
        application_name: "heliograph lease",
        keepAlive: true,
        connectionTimeoutMillis: this.#timeoutMs,
        query_timeout: this.#timeoutMs,
        lock_timeout: rowTimeoutMs,
      });
      const lost = (): void => {
        if (this.#client !== opening) return;
        this.#client = undefined;
        if (!this.#closed) this.#onLost();
      };
      client.on("error", lost);
      client.on("end", lost);
      await client.connect();
      connectedTo(this.#config);
      return client;
    })();
    this.#client = opening;
    opening.catch((error: Error) => {
      refusedBy(this.#config, error);
      if (this.#client === opening) this.#client = undefined;
    });
    return opening;
  }

  /** A statement in its turn. What stays without an answer ends the session, with every lock that it holds: nothing else would ever tell. */
  #ask<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    return this.#turn(async () => {
      const client = await this.#session();
      try {
        return await work(client);
      } catch (error) {
        if (isUnanswered(error)) void client.end().catch(() => undefined);
        throw error;
      }
    });
  }

  /**
   * Waits until this process is the owner; `look` hears after each try whether the database answered, which makes a process that stands by for another of one that
   * is cut off. Returns undefined when the signal ends first.
   */
  async acquire(
    name: string,
    schema: string,
    signal: AbortSignal,
    look: (answered: boolean) => void = () => undefined,
  ): Promise<Ownership | undefined> {
    while (!signal.aborted) {
      try {
        const ownership = await this.#tryOnce(name, schema);
        look(true);
        if (ownership) return ownership;
      } catch (error) {
        if (!isMachinery(error)) throw error;
        // A lock that somebody else holds for long is an answer too.
        look((error as { code?: string }).code === lockNotAvailable);
      }
      await pause(askEveryMs, signal);
    }
    return undefined;
  }

  async #tryOnce(name: string, schema: string): Promise<Ownership | undefined> {
    this.#round ??= this.#beginRound();
    this.#round.names.set(name, schema);
    const { client, held, taken } = await this.#round.answer;
    if (!held.has(name)) return undefined;
    const ownership = taken.get(name);
    if (ownership !== undefined) return ownership;
    return this.#ask(async (current) => {
      // The lock ended with its session; the next has to ask for it.
      if (current !== client) return undefined;
      return takeOver(client, name, schema).catch(async (error: unknown) => {
        // A session holds its locks as often as it took them, and all of them until it ends.
        if (!isUnanswered(error)) await unlock(client, name);
        throw error;
      });
    });
  }

  /** Those who stand by were answered together and so ask together again: a process that stands by for all others asks two statements, and not two for each consumer. */
  #beginRound(): Round {
    const names = new Map<string, string>();
    const answer = this.#ask(async (client) => {
      if (this.#round?.names === names) this.#round = undefined;
      const wanted = [...names.keys()];
      // Before anything is locked: what this fails with leaves no lock behind.
      await endStaleHolders(client, wanted, staleHolderSeconds);
      const held = await tryLocks(client, wanted);
      return { client, held, taken: await this.#takeTogether(client, names, held) };
    }).finally(() => {
      if (this.#round?.names === names) this.#round = undefined;
    });
    return { names, answer };
  }

  /** After a start or an outage that are all: a statement and a commit for each takes a machine without time to spare seconds. Where one of them is in the way of all, each is taken over by itself. */
  async #takeTogether(
    client: pg.Client,
    names: ReadonlyMap<string, string>,
    held: ReadonlySet<string>,
  ): Promise<ReadonlyMap<string, Ownership>> {
    if (held.size < 2) return new Map();
    const owned = [...held].map((name) => ({ name, schema: names.get(name)! }));
    return takeOverAll(client, owned).catch((error: unknown) => {
      if (isUnanswered(error)) throw error;
      return new Map();
    });
  }

  /** Gives one lock back, so that another copy may take over at once. */
  async release(name: string): Promise<void> {
    if (this.#client === undefined) return;
    await this.#ask((client) => unlock(client, name)).catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const client = await this.#client?.catch(() => undefined);
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }
}
