import type { OwnTables } from "@heliograph/runtime";
import type pg from "pg";

/**
 * Where readers of the feed are, by names that a partner gives them. Rows and not events: a cursor has no history worth keeping. `space` is the sandbox that it belongs to: the numbers of the one
 * after a reset begin anew, and so do its cursors.
 */
export const consumerTables: OwnTables = {
  schema: "feed_consumers",
  migrations: [
    `create table feed_consumers.consumers (
  account text not null,
  name text not null,
  space text not null,
  sequence bigint not null,
  created_at timestamptz not null default now(),
  moved_at timestamptz not null default now(),
  primary key (account, name)
);`,
  ],
};

/** Nobody has more readers with progress of their own; a name that is made anew for each run would fill the table. */
export const maxConsumers = 50;

export type Consumer = {
  readonly name: string;
  /** It has handled everything up to here. */
  readonly sequence: number;
  readonly created_at: Date;
  readonly moved_at: Date;
};

/** Whose: `space` is what the partner is called in its present sandbox. */
export type Owner = { readonly account: string; readonly space: string };

const columns = (space: string): string =>
  `name, case when space = ${space} then sequence else 0 end::float8 as sequence, created_at, moved_at`;

export async function listConsumers(
  pool: pg.Pool,
  { account, space }: Owner,
): Promise<readonly Consumer[]> {
  const { rows } = await pool.query<Consumer>({
    name: "feed_consumers_list",
    text: `select ${columns("$2")} from feed_consumers.consumers where account = $1 order by name`,
    values: [account, space],
  });
  return rows;
}

export async function readConsumer(
  pool: pg.Pool,
  { account, space }: Owner,
  name: string,
): Promise<Consumer | undefined> {
  const { rows } = await pool.query<Consumer>({
    name: "feed_consumers_read",
    text: `select ${columns("$2")} from feed_consumers.consumers where account = $1 and name = $3`,
    values: [account, space, name],
  });
  return rows[0];
}

/** Sets a cursor, of a new consumer too; a commit never moves it back, so that the slower of two workers does no harm. Undefined where there is no room for one more. */
export async function moveConsumer(
  pool: pg.Pool,
  { account, space }: Owner,
  name: string,
  sequence: number,
  by: "commit" | "reset",
): Promise<Consumer | undefined> {
  const { rows } = await pool.query<Consumer>({
    name: `feed_consumers_${by}`,
    text: `insert into feed_consumers.consumers as c (account, name, space, sequence)
      select $1, $3, $2, $4::bigint where exists (select from feed_consumers.consumers where account = $1 and name = $3)
        or (select count(*) from feed_consumers.consumers where account = $1) < ${maxConsumers}
      on conflict (account, name) do update set space = excluded.space, moved_at = now(), sequence =
        ${by === "reset" ? "excluded.sequence" : "case when c.space = excluded.space then greatest(c.sequence, excluded.sequence) else excluded.sequence end"}
      returning name, sequence::float8 as sequence, created_at, moved_at`,
    values: [account, space, name, sequence],
  });
  return rows[0];
}

export async function deleteConsumer(
  pool: pg.Pool,
  account: string,
  name: string,
): Promise<boolean> {
  const { rowCount } = await pool.query(
    "delete from feed_consumers.consumers where account = $1 and name = $2",
    [account, name],
  );
  return rowCount === 1;
}
