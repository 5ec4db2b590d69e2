import type { OwnTables } from "@heliograph/runtime";
import type pg from "pg";

/** Sessions of the console, in the platform's database: the cookie is a SHA-256 there, and what it opens is sealed. */
export const consoleTables: OwnTables = {
  schema: "console",
  migrations: [
    `create table console.sessions (
  sha256 bytea primary key,
  sealed text not null,
  used_at timestamptz not null default now(),
  ends_at timestamptz not null
);
create index sessions_age on console.sessions (ends_at);
-- What is told once, on the page that a form led to.
create table console.flashes (
  id text primary key,
  session bytea not null references console.sessions on delete cascade,
  told text not null
);
create index flashes_of on console.flashes (session);`,
    // What is told is sealed from here on.
    "delete from console.flashes;",
  ],
};

/** Who leaves the desk is signed out. */
const idleMinutes = 120;
/** And everybody is by the next day. */
export const sessionHours = 12;

const stands = `ends_at > now() and used_at > now() - interval '${idleMinutes} minutes'`;

export async function addSession(pool: pg.Pool, sha256: Buffer, sealed: string): Promise<void> {
  await pool.query({
    name: "console.add",
    text: `with over as (delete from console.sessions where not (${stands}))
      insert into console.sessions (sha256, sealed, ends_at) values ($1, $2, now() + interval '${sessionHours} hours')`,
    values: [sha256, sealed],
  });
}

/** What is sealed in a session that has not ended. `used`: somebody sits there, which is noted once a minute. */
export async function readSession(
  pool: pg.Pool,
  sha256: Buffer,
  { used }: { readonly used: boolean },
): Promise<string | undefined> {
  const { rows } = await pool.query<{ sealed: string; stale: boolean }>({
    name: "console.find",
    text: `select sealed, used_at < now() - interval '1 minute' as stale from console.sessions where sha256 = $1 and ${stands}`,
    values: [sha256],
  });
  const [row] = rows;
  if (used && row?.stale === true)
    await pool.query({
      name: "console.used",
      text: "update console.sessions set used_at = now() where sha256 = $1",
      values: [sha256],
    });
  return row?.sealed;
}

/** Those that have not ended, in hex; they count as used by this no more than before. */
export async function standingSessions(
  pool: pg.Pool,
  sha256s: readonly Buffer[],
): Promise<ReadonlySet<string>> {
  const { rows } = await pool.query<{ hex: string }>({
    name: "console.standing",
    text: `select encode(sha256, 'hex') as hex from console.sessions where sha256 = any($1) and ${stands}`,
    values: [sha256s],
  });
  return new Set(rows.map(({ hex }) => hex));
}

/** Changes what is sealed. Gives false where another request changed it first. */
export async function changeSession(
  pool: pg.Pool,
  sha256: Buffer,
  from: string,
  to: string,
): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: "console.change",
    text: "update console.sessions set sealed = $3 where sha256 = $1 and sealed = $2",
    values: [sha256, from, to],
  });
  return rowCount === 1;
}

export async function removeSession(pool: pg.Pool, sha256: Buffer): Promise<void> {
  await pool.query({
    name: "console.remove",
    text: "delete from console.sessions where sha256 = $1",
    values: [sha256],
  });
}

export async function addFlash(
  pool: pg.Pool,
  sha256: Buffer,
  id: string,
  told: string,
): Promise<void> {
  await pool.query({
    name: "console.add_flash",
    text: "insert into console.flashes (id, session, told) values ($1, $2, $3)",
    values: [id, sha256, told],
  });
}

/** Gives it once, to the session that it is for. */
export async function takeFlash(
  pool: pg.Pool,
  sha256: Buffer,
  id: string,
): Promise<string | undefined> {
  const { rows } = await pool.query<{ told: string }>({
    name: "console.take_flash",
    text: "delete from console.flashes where id = $1 and session = $2 returning told",
    values: [id, sha256],
  });
  return rows[0]?.told;
}
