import { accountOf, accountSql } from "./space.ts";

/** Part `index` (from 0) of the `count` parts into which the partners of a namespace are divided. */
export type Shard = { readonly index: number; readonly count: number };

const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** The last two base32 characters of an id are ten bits, of which a partner's shard is made: no more can be told apart. */
export const mostShards = 1_024;

/**
 * The shard of a partner: the last two base32 characters of its id, ten random bits of the UUID, modulo `count` (at most `mostShards`). Everything of one partner is in one shard: its wallet
 * has one writer, its lifecycle events one sequence, its messages and recipients one order. What has no partner is in shard 0.
 */
export function shardOf(partner: string | undefined, count: number): number {
  if (partner === undefined || partner.length < 2) return 0;
  const account = accountOf(partner);
  const high = digits.indexOf(account.at(-2)!);
  const low = digits.indexOf(account.at(-1)!);
  return high < 0 || low < 0 ? 0 : (high * 32 + low) % count;
}

/** What one shard may use of a limit that is meant for all of them in one process: twice an even part, for partners are not spread evenly; never below `least`. */
export const shardPart = (total: number, shard: Shard | undefined, least: number): number =>
  shard === undefined
    ? total
    : Math.min(total, Math.max(least, Math.ceil((2 * total) / shard.count)));

/** The same rule as an SQL expression over a text column that holds the partner's id. `count` is inserted as a number. */
export function shardSql(partner: string, count: number): string {
  const column = accountSql(partner);
  const digit = (place: number): string =>
    `strpos('${digits}', substr(right(${column}, 2), ${place}, 1))`;
  return `(case when length(${column}) >= 2 and ${digit(1)} > 0 and ${digit(2)} > 0 then ((${digit(1)} - 1) * 32 + ${digit(2)} - 1) % ${Math.trunc(count)} else 0 end)`;
}
