import type { Queryable } from "./wallet.ts";

/** What the ledger's timers remember. It cannot be made from the log: a rebuild leaves it alone. */
export const ledgerMigrations = [
  `create table if not exists {schema}.open_holds (
  message_id text primary key,
  partner text not null,
  wallet text not null,
  currency text not null,
  due_at timestamptz not null
);
create index if not exists open_holds_due on {schema}.open_holds (due_at);
create index if not exists open_holds_partner on {schema}.open_holds (partner, due_at);
create table if not exists {schema}.marks (name text primary key, position bigint not null);
create table if not exists {schema}.proofs (
  wallet text primary key,
  position bigint not null,
  proven_at timestamptz not null,
  mismatch text
);
create table if not exists {schema}.proof_runs (name text primary key, due_at timestamptz not null);`,
  // Counted every minute, among all wallets there are.
  "create index if not exists proofs_mismatched on {schema}.proofs (wallet) where mismatch is not null;",
];

/** A hold that may lapse: due when its message should long be over, by the clock of its partner. */
export type OpenHold = {
  readonly message_id: string;
  readonly partner: string;
  readonly wallet: string;
  readonly currency: string;
  readonly due_at: Date;
};

/** Up to where holds were looked at. */
export async function readMark(db: Queryable): Promise<bigint> {
  const { rows } = await db.query(
    "select position from wallet_ledger.marks where name = 'open_holds'",
  );
  return BigInt(rows[0]?.position ?? 0);
}

/** Notes holds that are open, and up to where all were looked at, in one statement. */
export const noteOpenHolds = (
  db: Queryable,
  holds: readonly OpenHold[],
  mark: bigint,
): Promise<unknown> =>
  db.query({
    name: "wallet_open_holds",
    text: `with mark as (insert into wallet_ledger.marks as m (name, position) values ('open_holds', $6)
        on conflict (name) do update set position = greatest(m.position, excluded.position))
      insert into wallet_ledger.open_holds (message_id, partner, wallet, currency, due_at)
      select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) on conflict (message_id) do nothing`,
    values: [
      holds.map(({ message_id }) => message_id),
      holds.map(({ partner }) => partner),
      holds.map(({ wallet }) => wallet),
      holds.map(({ currency }) => currency),
      holds.map(({ due_at }) => due_at),
      mark,
    ],
  });

/** Holds that are due: by the real time, and of partners whose clocks are ahead by theirs. */
export async function dueHolds(
  db: Queryable,
  now: Date,
  ahead: readonly { readonly partner: string; readonly now: Date }[],
  limit: number,
): Promise<readonly OpenHold[]> {
  const { rows } = await db.query({
    name: "wallet_due_holds",
    text: `select message_id, partner, wallet, currency, due_at from wallet_ledger.open_holds where due_at <= $1
      union select h.message_id, h.partner, h.wallet, h.currency, h.due_at
        from unnest($2::text[], $3::timestamptz[]) as a (partner, now) join wallet_ledger.open_holds h on h.partner = a.partner and h.due_at <= a.now
      order by due_at, message_id limit $4`,
    values: [now, ahead.map(({ partner }) => partner), ahead.map((each) => each.now), limit],
  });
  return rows;
}

/** They are due at other times, by message. */
export const putOffOpenHolds = (
  db: Queryable,
  dueAt: ReadonlyMap<string, Date>,
): Promise<unknown> =>
  db.query({
    name: "wallet_put_off_open_holds",
    text: `update wallet_ledger.open_holds h set due_at = given.due_at
      from unnest($1::text[], $2::timestamptz[]) as given (message_id, due_at) where h.message_id = given.message_id`,
    values: [[...dueAt.keys()], [...dueAt.values()]],
  });

export const forgetOpenHolds = (db: Queryable, messageIds: readonly string[]): Promise<unknown> =>
  db.query({
    name: "wallet_forget_open_holds",
    text: "delete from wallet_ledger.open_holds where message_id = any($1::text[])",
    values: [messageIds],
  });
