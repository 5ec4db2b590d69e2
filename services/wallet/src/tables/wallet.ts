import type { Hold, HoldStatus } from "@heliograph/domain";
import type pg from "pg";

/**
 * What the wallet's events say of each message and of each wallet. A hold's row has one column per thing that can happen to it, each the
 * position of the wallet event that did it: they are set once and never cleared, so the order of writes does not matter. `partner` is the name of the wallet: the
 * partner's id, with the currency behind it where that is not the partner's own.
 */
export const walletDdl = `
create table if not exists {schema}.holds (
  message_id text primary key,
  partner text not null,
  amount text not null,
  held_position bigint,
  declined_position bigint,
  captured_position bigint,
  released_position bigint,
  refunded_position bigint,
  spent_on text, -- the day whose spending it counts in
  late_status text, -- of a hold that expired, with the positions of what happened to it since
  late_positions bigint[]
) with (fillfactor = 70); -- room for the settlement on the same page: no index is touched (HOT)
create table if not exists {schema}.wallets (
  partner text primary key,
  available text not null,
  held text not null,
  currency text not null,
  revision int not null,
  covers bigint not null,
  position bigint not null
) with (fillfactor = 20);`;

/** The partner of a wallet, of a column that holds the wallet's name (`partnerOfWallet`). */
export const spaceOfWallet = (column: string): string => `split_part(${column}, '.', 1)`;

/** A query client: a pool, or a client inside a transaction. */
export type Queryable = Pick<pg.Pool, "query">;

const statusSql = `case
  when refunded_position is not null then 'refunded' when late_status is not null then late_status when released_position is not null then 'released'
  when captured_position is not null then 'captured' when declined_position is not null then 'declined' else 'held' end`;

const positionsSql =
  "array_remove(array[held_position, declined_position, captured_position, released_position, refunded_position] || late_positions, null)::text[]";
const inOrder = (positions: readonly string[]): readonly bigint[] =>
  positions.map(BigInt).toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));

/**
 * Positions of the wallet events that name each message, oldest first: hold or decline, then capture, release or refund. Each event holds
 * many messages: `walletEntryOf` (domain) finds the one. Messages without any are missing.
 */
export async function walletPositions(
  db: Queryable,
  messageIds: readonly string[],
): Promise<ReadonlyMap<string, readonly bigint[]>> {
  const { rows } = await db.query({
    name: "wallet_positions",
    text: `select message_id, ${positionsSql} as positions from wallet.holds where message_id = any($1::text[])`,
    values: [messageIds],
  });
  return new Map(
    rows.map(({ message_id, positions }) => [message_id as string, inOrder(positions)]),
  );
}

/** The same for one message of a partner, and up to which revision the wallet's events are in the tables: -1 when none is. */
export async function holdPositions(
  db: Queryable,
  messageId: string,
  partner: string,
): Promise<{ readonly positions: readonly bigint[]; readonly revision: number }> {
  const { rows } = await db.query({
    name: "wallet_hold_positions",
    text: `select coalesce((select revision from wallet.wallets where partner = $2), -1) as revision,
      (select ${positionsSql} from wallet.holds where message_id = $1 and partner = $2) as positions`,
    values: [messageId, partner],
  });
  const { revision, positions } = rows[0];
  return { revision, positions: inOrder(positions ?? []) };
}

export type HoldRow = Hold & { readonly partner: string };

/**
 * Holds by message id, and up to which revision each wallet's events are in the tables, in one statement and so of one moment. A wallet
 * without rows is missing from `revisions`.
 */
export async function readHolds(
  db: Queryable,
  messageIds: readonly string[],
  partners: readonly string[],
): Promise<{
  readonly holds: ReadonlyMap<string, HoldRow>;
  readonly revisions: ReadonlyMap<string, number>;
}> {
  const { rows } = await db.query({
    name: "wallet_holds",
    text: `select message_id, partner, amount, ${statusSql} as status, spent_on, null::int as revision from wallet.holds where message_id = any($1::text[])
      union all select null, partner, null, null, null, revision from wallet.wallets where partner = any($2::text[])`,
    values: [messageIds, partners],
  });
  const holds = new Map<string, HoldRow>();
  const revisions = new Map<string, number>();
  for (const { message_id, partner, amount, status, spent_on, revision } of rows) {
    if (message_id === null) revisions.set(partner, revision);
    else
      holds.set(message_id, {
        partner,
        amount,
        status: status as HoldStatus,
        on: spent_on ?? undefined,
      });
  }
  return { holds, revisions };
}
