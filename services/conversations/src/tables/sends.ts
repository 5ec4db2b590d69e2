import type pg from "pg";

/** An address in the index of messages, between two positions of the log, both exclusive. */
export type AddressRange = {
  readonly channel: string;
  /** As it stands in the index: the address, or the key that it is sealed under. */
  readonly place: string;
  readonly from: bigint;
  readonly until: bigint;
};

const end = 9_000_000_000_000_000n;

/**
 * What was sent to addresses outside of conversations, newest first: those before a position, or those nearest after it. From the index of messages, that sends are listed from anyway: a row of
 * one's own for each send would be paid by all of them.
 */
export async function listSends(
  pool: pg.Pool,
  query: {
    readonly partner: string;
    readonly addresses: readonly AddressRange[];
    readonly limit: number;
    readonly before?: string;
    readonly after?: string;
  },
): Promise<readonly { readonly position: string; readonly id: string }[]> {
  if (query.addresses.length === 0) return [];
  const backwards = query.after !== undefined;
  const order = backwards ? "asc" : "desc";
  const { rows } = await pool.query<{ position: string; id: string }>({
    name: `conversations_sends_${order}`,
    text: `select s.position::text, s.id
      from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[]) as a(channel, place, low, high)
      cross join lateral (
        select m.position, m.id from messages.messages m
        where m.partner = $1 and m."to" = a.place and m.channel = a.channel and not m.reply
          and m.position > greatest(a.low, $6::bigint) and m.position < least(a.high, $7::bigint)
        order by m.position ${order} limit $8) s
      order by s.position ${order} limit $8`,
    values: [
      query.partner,
      query.addresses.map(({ channel }) => channel),
      query.addresses.map(({ place }) => place),
      query.addresses.map(({ from }) => from),
      query.addresses.map(({ until }) => (until < end ? until : end)),
      query.after ?? "-1",
      query.before ?? String(end),
      query.limit,
    ],
  });
  return rows;
}
