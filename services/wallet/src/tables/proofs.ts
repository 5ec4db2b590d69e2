import type { Queryable } from "./wallet.ts";

/** A wallet as the read model shows it, after the event at `position`. */
export type ShownWallet = {
  readonly wallet: string;
  readonly available: string;
  readonly held: string;
  readonly currency: string;
  readonly position: bigint;
  /** How many of its holds are shown as open, and what they come to. */
  readonly holdsOpen: number;
  readonly heldByHolds: string;
};

/** When the proofs are due; `first` where that was never said. */
export async function dueProof(db: Queryable, first: Date): Promise<Date> {
  const { rows } = await db.query(
    `with made as (insert into wallet_ledger.proof_runs (name, due_at) values ('nightly', $1) on conflict (name) do nothing returning due_at)
    select due_at from made union all select due_at from wallet_ledger.proof_runs where name = 'nightly' limit 1`,
    [first],
  );
  return rows[0].due_at;
}

export const finishProofs = (db: Queryable, next: Date): Promise<unknown> =>
  db.query("update wallet_ledger.proof_runs set due_at = $1 where name = 'nightly'", [next]);

/** Wallets that were not proven since the proofs became due, and what their holds say at the same moment: one look through the holds for all of them, so that no index has to be kept for it. */
export async function walletsToProve(
  db: Queryable,
  due: Date,
  limit: number,
): Promise<readonly ShownWallet[]> {
  return shownWallets(
    db,
    "where not exists (select from wallet_ledger.proofs p where p.wallet = w.partner and p.proven_at >= $1) order by w.partner limit $2",
    [due, limit],
  );
}

/** The wallets that moved last: a sample of those in use. */
export const lastMovedWallets = (db: Queryable, limit: number): Promise<readonly ShownWallet[]> =>
  shownWallets(db, "order by w.position desc limit $1", [limit]);

async function shownWallets(
  db: Queryable,
  which: string,
  values: readonly unknown[],
): Promise<readonly ShownWallet[]> {
  const { rows } = await db.query(
    `with due as (select w.partner as wallet, w.available, w.held, w.position::text as position, w.currency from wallet.wallets w ${which}),
    open as (select partner, count(*)::int as n, trim_scale(sum(amount::numeric))::text as amount from wallet.holds
      where partner in (select wallet from due) and held_position is not null and captured_position is null and released_position is null
        and refunded_position is null and late_status is null group by partner)
    select due.*, coalesce(open.n, 0) as "holdsOpen", coalesce(open.amount, '0') as "heldByHolds" from due left join open on open.partner = due.wallet order by due.wallet`,
    [...values],
  );
  return rows.map((row) => ({ ...row, position: BigInt(row.position) }));
}

export const noteProof = (
  db: Queryable,
  wallet: string,
  position: bigint,
  mismatch: string | undefined,
): Promise<unknown> =>
  db.query(
    `insert into wallet_ledger.proofs (wallet, position, proven_at, mismatch) values ($1, $2, now(), $3)
    on conflict (wallet) do update set position = excluded.position, proven_at = excluded.proven_at, mismatch = excluded.mismatch`,
    [wallet, position, mismatch ?? null],
  );

export async function countMismatches(db: Queryable): Promise<number> {
  const { rows } = await db.query(
    "select count(*)::int as n from wallet_ledger.proofs where mismatch is not null",
  );
  return rows[0].n;
}

/** What the nightly proof came to so far. */
export async function proofState(db: Queryable): Promise<{
  readonly wallets: number;
  /** Of these, how many were ever computed from the log, and how many of them are not what it says. */
  readonly proven: number;
  readonly mismatches: number;
  /** When the proof is due next, or has been since; null before it was ever planned. */
  readonly dueAt: Date | null;
}> {
  const { rows } = await db.query(
    `select (select count(*)::int from wallet.wallets) as wallets, count(*)::int as proven, (count(*) filter (where mismatch is not null))::int as mismatches,
      (select due_at from wallet_ledger.proof_runs where name = 'nightly') as "dueAt" from wallet_ledger.proofs`,
  );
  return rows[0];
}
