import pg from "pg";
import { clientConfig } from "./connection.ts";

const CHANNEL = "heliograph_log";
/** At most one NOTIFY in this time: below the first poll interval nobody would notice a faster one. */
const NOTIFY_EVERY_MS = 5;
/** What is not answered for this long goes to nobody: the connection is silent, and another is made. */
const ANSWER_TIMEOUT_MS = 10_000;
const RETRY_FIRST_MS = 100;
const RETRY_LAST_MS = 5_000;

export type Signal = {
  /** Tells other processes, soon, that something was committed. */
  announce(): void;
  /** True while this process hears others. */
  listening(): boolean;
  close(): Promise<void>;
};

/**
 * The wake-up between processes: one connection that listens and notifies. Only a hint. What is lost here is found by
 * the feed's polling, so nothing waits for this connection and its failures are not reported as the log's.
 *
 * The NOTIFY is a statement of its own after the commit: inside the append's transaction it takes a lock on all
 * databases of the cluster until that transaction is durable.
 */
export function openSignal(
  connection: pg.PoolConfig,
  applicationName: string,
  heard: () => void,
): Signal {
  let client: pg.Client | undefined;
  let closed = false;
  let sending = false;
  let due = false;
  let retryMs = RETRY_FIRST_MS;
  let timer: NodeJS.Timeout | undefined;
  let connecting: Promise<void> | undefined;

  async function connect(): Promise<void> {
    const next = new pg.Client({
      ...clientConfig(connection, applicationName),
      query_timeout: ANSWER_TIMEOUT_MS,
    });
    let ownPid = 0;
    next.on("error", () => {});
    next.on("end", () => lost(next));
    next.on("notification", (message) => {
      if (message.processId !== ownPid) heard();
    });
    try {
      await next.connect();
      // Nothing waits for these commits, and a hint need not survive a crash.
      const { rows } = await next
        .query(`listen ${CHANNEL}; set synchronous_commit = off; select pg_backend_pid() as pid`)
        .then((results) => (results as unknown as pg.QueryResult[])[2]!);
      ownPid = Number(rows[0].pid);
      if (closed) {
        await next.end();
        return;
      }
      client = next;
      retryMs = RETRY_FIRST_MS;
      // Something may have been missed while nobody listened, and so may others have missed something of ours.
      heard();
      if (due) void send();
    } catch {
      await next.end().catch(() => {});
      lost(next);
    }
  }

  function lost(which: pg.Client): void {
    if (client === which) {
      client = undefined;
      // Whoever relies on hearing looks now, and then more often.
      heard();
    }
    if (closed || client !== undefined || timer !== undefined || sending) return;
    timer = setTimeout(() => {
      timer = undefined;
      connecting = connect();
    }, retryMs);
    retryMs = Math.min(retryMs * 2, RETRY_LAST_MS);
  }

  async function send(): Promise<void> {
    const target = client;
    if (target === undefined || sending) return;
    sending = true;
    due = false;
    try {
      await target.query({ name: "log_notify", text: `select pg_notify('${CHANNEL}', '')` });
    } catch {
      // Its "end" follows, and with it the next connection.
      void target.end().catch(() => {});
    }
    if (!closed) await new Promise<void>((resolve) => setTimeout(resolve, NOTIFY_EVERY_MS));
    sending = false;
    if (client === undefined) lost(target);
    else if (due && !closed) void send();
  }

  connecting = connect();
  return {
    listening: () => client !== undefined,
    announce() {
      due = true;
      void send();
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await connecting;
      await client?.end().catch(() => {});
    },
  };
}
