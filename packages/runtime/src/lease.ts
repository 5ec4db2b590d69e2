import pg from "pg";
import { isMachinery, oneAtATime, pause } from "./faults.ts";
import { quoteSchema } from "./parts.ts";

/**
 * A holder that has not shown itself for so long is stopped or cut off; its session is ended so that another may take over. A session that has just
 * been opened or used is not judged yet: after an outage all heartbeats are old, and the copies would end each other's sessions in turn.
 */
const staleHolderSeconds = 15;

export type Ownership = { readonly epoch: number; readonly position: bigint };

/**
 * One session per process and environment holds an advisory lock per consumer, so at most one copy of each is active and a copy whose process dies is
 * replaced as soon as PostgreSQL sees the connection close. The lock gives liveness only; what keeps a stopped and continued owner from doing
 * harm is the epoch, raised at every take-over and compared at every checkpoint.
 */
export class Leases {
  readonly #config: pg.ClientConfig;
  readonly #onLost: () => void;
  #client: Promise<pg.Client> | undefined;
  #closed = false;
  /** The session is shared by all consumers; a connection runs one statement at a time. */
  readonly #turn = oneAtATime();

  constructor(config: pg.ClientConfig, onLost: () => void) {
    this.#config = config;
    this.#onLost = onLost;
  }

  async #session(): Promise<pg.Client> {
    if (this.#client) return this.#client;
    const opening = (async () => {
      const client = new pg.Client({
        ...this.#config,
        application_name: "heliograph lease",
        keepAlive: true,
      });
      const lost = (): void => {
        if (this.#client !== opening) return;
        this.#client = undefined;
        if (!this.#closed) this.#onLost();
      };
      client.on("error", lost);
      client.on("end", lost);
      await client.connect();
      return client;
    })();
    this.#client = opening;
    opening.catch(() => {
      if (this.#client === opening) this.#client = undefined;
    });
    return opening;
  }

  /** Waits until this process is the owner. Returns undefined when the signal ends first. */
  async acquire(name: string, schema: string, signal: AbortSignal): Promise<Ownership | undefined> {
    while (!signal.aborted) {
      try {
        const ownership = await this.#turn(async () => {
          const client = await this.#session();
          const { rows } = await client.query(
            "select pg_try_advisory_lock(hashtextextended($1, 7041776)) as held",
            [`heliograph/${name}`],
          );
          if (rows[0].held === true) return takeOver(client, name, schema);
          await endStaleHolder(client, name);
          return undefined;
        });
        if (ownership) return ownership;
      } catch (error) {
        if (!isMachinery(error)) throw error;
      }
      await pause(300, signal);
    }
    return undefined;
  }

  /** Gives one lock back, so that another copy may take over at once. */
  async release(name: string): Promise<void> {
    await this.#turn(async () => {
      const client = await this.#client?.catch(() => undefined);
      await client
        ?.query("select pg_advisory_unlock(hashtextextended($1, 7041776))", [`heliograph/${name}`])
        .catch(() => undefined);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const client = await this.#client?.catch(() => undefined);
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }
}

async function takeOver(client: pg.Client, name: string, schema: string): Promise<Ownership> {
  const { rows } = await client.query(
    `update ${quoteSchema(schema)}.checkpoint set epoch = epoch + 1 where name = $1 returning epoch, position::text`,
    [name],
  );
  if (rows[0] === undefined)
    throw new Error(
      `${name} has no checkpoint: a process with another feed divided it into shards; restart this one`,
    );
  return { epoch: rows[0].epoch as number, position: BigInt(rows[0].position as string) };
}

async function endStaleHolder(client: pg.Client, name: string): Promise<void> {
  await client.query(
    `select pg_terminate_backend(l.pid) from pg_locks l
     join runtime.consumers c on c.name = $1 and c.updated_at < now() - interval '${staleHolderSeconds} seconds'
     join pg_stat_activity a on a.pid = l.pid and a.state_change < now() - interval '${staleHolderSeconds} seconds'
     where l.locktype = 'advisory' and l.granted and l.pid <> pg_backend_pid() and l.database = (select oid from pg_database where datname = current_database())
       and ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended($2, 7041776)`,
    [name, `heliograph/${name}`],
  );
}
