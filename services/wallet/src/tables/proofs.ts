import type { Queryable } from "./wallet.ts";

/** A wallet as the read model shows it, after the event at `position`. */
export type ShownWallet = {
  readonly wallet: string;
  readonly available: string;
  readonly held: string;
  readonly position: bigint;
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

/** Wallets that were not proven since the proofs became due. */
export async function walletsToProve(
  db: Queryable,
  due: Date,
  limit: number,
): Promise<readonly ShownWallet[]> {
  const { rows } = await db.query(
    `select w.partner as wallet, w.available, w.held, w.position::text as position from wallet.wallets w
    where not exists (select from wallet_ledger.proofs p where p.wallet = w.partner and p.proven_at >= $1) order by w.partner limit $2`,
    [due, limit],
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
