import pg from "pg";
import { clientConfig } from "./connection.ts";

const CHANNEL = "heliograph_log";
/** At most one NOTIFY in this time: below the first poll interval nobody would notice a faster one. */
const NOTIFY_EVERY_MS = 5;
/** What is not answered for this long goes to nobody: the connection is silent, and another is made. */
const ANSWER_TIMEOUT_MS = 10_000;
/** So long it is believed who else listens. Whoever comes says so at once, but a word may be lost with a connection. */
const BELIEVED_MS = 5_000;
const RETRY_FIRST_MS = 100;
const RETRY_LAST_MS = 5_000;

/**
 * The wake-up between processes: one connection that listens and notifies. Only a hint. What is lost here is found by
 * the feed's polling, so nothing waits for this connection and its failures are not reported as the log's.
 *
 * The NOTIFY is a statement of its own after the commit: inside the append's transaction it takes a lock on all
 * databases of the cluster until that transaction is durable. While nobody else listens there is none, for it would be a commit for each append: where
 * one process runs everything that was a third of them.
 */
export class Signal {
  readonly #connection: pg.PoolConfig;
  readonly #name: string;
  readonly #heard: () => void;
  /** What its name says behind what all have in common. */
  #saying = "";
  #client: pg.Client | undefined;
  #closed = false;
  #sending = false;
  #due = false;
  #believed: { readonly isAlone: boolean; readonly until: number } = { isAlone: false, until: 0 };
  #retryMs = RETRY_FIRST_MS;
  #timer: NodeJS.Timeout | undefined;
  #connecting: Promise<void>;

  constructor(connection: pg.PoolConfig, applicationName: string, heard: () => void) {
    this.#connection = connection;
    this.#name = `${applicationName} wake-up`;
    this.#heard = heard;
    this.#connecting = this.#connect();
  }

  /** True while this process hears others. */
  readonly listening = (): boolean => this.#client !== undefined;

  /** Brings something to the end of the session's name, where whoever looks at the database's sessions finds it. */
  say(what: string): void {
    this.#saying = what;
    this.#client
      ?.query("select set_config('application_name', $1, false)", [`${this.#name}${what}`])
      .catch(() => {});
  }

  /** Tells other processes, soon, that something was committed. */
  announce(): void {
    if (this.#believed.isAlone && performance.now() < this.#believed.until) return;
    this.#due = true;
    void this.#send();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#connecting;
    await this.#client?.end().catch(() => {});
  }

  async #connect(): Promise<void> {
    const saying = this.#saying;
    const next = new pg.Client({
      ...clientConfig(this.#connection, `${this.#name}${saying}`),
      query_timeout: ANSWER_TIMEOUT_MS,
    });
    let ownPid = 0;
    next.on("error", () => {});
    next.on("end", () => this.#lost(next));
    next.on("notification", (message) => {
      if (message.processId === ownPid) return;
      this.#believed = { isAlone: false, until: performance.now() + BELIEVED_MS };
      this.#heard();
    });
    try {
      await next.connect();
      ownPid = await listen(next);
      if (this.#closed) {
        await next.end();
        return;
      }
      this.#client = next;
      if (this.#saying !== saying) this.say(this.#saying);
      this.#believed = { isAlone: false, until: 0 };
      this.#retryMs = RETRY_FIRST_MS;
      // Something may have been missed while nobody listened, and so may others have missed something of ours; and they hear that they are not alone.
      this.#heard();
      this.announce();
    } catch {
      await next.end().catch(() => {});
      this.#lost(next);
    }
  }

  #lost(which: pg.Client): void {
    if (this.#client === which) {
      this.#client = undefined;
      // Whoever relies on hearing looks now, and then more often.
      this.#heard();
    }
    if (this.#closed || this.#client !== undefined || this.#timer !== undefined || this.#sending)
      return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#connecting = this.#connect();
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_LAST_MS);
  }

  async #send(): Promise<void> {
    const target = this.#client;
    if (target === undefined || this.#sending) return;
    this.#sending = true;
    this.#due = false;
    try {
      if (!(await this.#isAlone(target)))
        await target.query({ name: "log_notify", text: `select pg_notify('${CHANNEL}', '')` });
    } catch {
      // Its "end" follows, and with it the next connection.
      void target.end().catch(() => {});
    }
    if (!this.#closed) await new Promise<void>((resolve) => setTimeout(resolve, NOTIFY_EVERY_MS));
    this.#sending = false;
    if (this.#client === undefined) this.#lost(target);
    else if (this.#due && !this.#closed) void this.#send();
  }

  async #isAlone(client: pg.Client): Promise<boolean> {
    const before = this.#believed;
    if (performance.now() < before.until) return before.isAlone;
    const { rows } = await client.query({
      name: "log_listeners",
      text: OTHERS,
      values: [this.#name],
    });
    // Who came while that was asked has said so.
    if (this.#believed === before)
      this.#believed = { isAlone: rows.length === 0, until: performance.now() + BELIEVED_MS };
    return this.#believed.isAlone;
  }
}

/** A pooler may put something around the name; a session whose name is not shown may be one of ours. */
const OTHERS = `select from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid() and (application_name is null or position($1 in application_name) > 0) limit 1`;

/** Gives the process id of the connection's backend, by which its own notifications are told. */
async function listen(client: pg.Client): Promise<number> {
  // Nothing waits for these commits, and a hint need not survive a crash.
  const { rows } = await client
    .query(`listen ${CHANNEL}; set synchronous_commit = off; select pg_backend_pid() as pid`)
    .then((results) => (results as unknown as pg.QueryResult[])[2]!);
  return Number(rows[0].pid);
}
