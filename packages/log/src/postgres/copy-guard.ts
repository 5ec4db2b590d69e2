import pg from "pg";
import { CopyRefused } from "../copy/types.ts";
import { clientConfig } from "./connection.ts";

/** Names the connections of a copy, so that it does not take itself for a service. */
export const COPY_APPLICATION = "heliograph copy-log";

/** Any constant does; two copies that touch the same database meet here. */
export const COPY_LOCK = 0x68656c70;

/** The sessions of this process: a copy whose two ends are one database meets itself. */
const ownSessions = new Set<number>();
const HOLDER = `select l.pid from pg_locks l join pg_database d on d.oid = l.database
  where l.locktype = 'advisory' and l.granted and l.objid = ${COPY_LOCK} and d.datname = current_database()`;

export type CopyGuard = {
  readonly client: pg.Client;
  /** Throws CopyRefused while services use this database. */
  assertQuiet(): Promise<void>;
  close(): Promise<void>;
};

/** Sessions of services, by their names and by the leases they hold. Those of `npm run ops` only read. */
const BUSY = `select distinct application_name as name, pid from pg_stat_activity a
  where a.datname = current_database() and a.pid <> pg_backend_pid()
    and a.application_name not like '${COPY_APPLICATION}%' and a.application_name <> 'heliograph ops'
    and (a.application_name like '%heliograph %'
      or exists (select from pg_locks l where l.pid = a.pid and l.locktype = 'advisory' and l.granted))
  order by pid limit 5`;

/**
 * Holds a session that keeps other copies away from this database and sees whether services are using it. Throws CopyRefused when
 * another copy is at work.
 */
export async function openCopyGuard(
  connection: pg.PoolConfig,
  namespace: string,
): Promise<CopyGuard> {
  const client = new pg.Client(clientConfig(connection, `${COPY_APPLICATION} ${namespace}`));
  // Whoever uses it next fails on it; without a listener the process would end here.
  client.on("error", () => {});
  await client.connect();
  const session = Number((await client.query("select pg_backend_pid() as pid")).rows[0].pid);
  const guard: CopyGuard = {
    client,
    async assertQuiet() {
      const rows = await ofThoseThatStay(async () => (await client.query(BUSY)).rows);
      if (rows.length === 0) return;
      const names = rows.map(({ name, pid }) => `${name || "unnamed"} (backend ${pid})`);
      throw new CopyRefused(
        `${namespace}: services use the database ${client.database}: ${names.join(", ")}; stop them first`,
      );
    },
    close: () => {
      ownSessions.delete(session);
      return client.end().catch(() => {});
    },
  };
  try {
    const others = await ofThoseThatStay(async () => {
      const { rows } = await client.query(`select pg_try_advisory_lock(${COPY_LOCK}) as held`);
      return rows[0].held === "t" ? [] : rows;
    });
    if (others.length > 0) {
      const { rows } = await client.query(HOLDER);
      throw new CopyRefused(
        rows.some(({ pid }) => ownSessions.has(Number(pid)))
          ? `${namespace}: both ends of the copy are the same database, ${client.database}`
          : `${namespace}: another copy-log works on ${client.database}`,
      );
    }
    ownSessions.add(session);
    return guard;
  } catch (error) {
    await guard.close();
    throw error;
  }
}

/** A session that its client has ended is there for a moment longer: only what stays is in the way. */
async function ofThoseThatStay<Row>(look: () => Promise<readonly Row[]>): Promise<readonly Row[]> {
  const deadline = performance.now() + lingeringMs;
  for (;;) {
    const rows = await look();
    if (rows.length === 0 || performance.now() > deadline) return rows;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
const lingeringMs = 1_500;
