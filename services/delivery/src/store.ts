import { type Shard, shardSql } from "@heliograph/contracts";
import { quoteSchema, type WritePart } from "@heliograph/runtime";
import { statuses, statusRank, type MessageStatus } from "@heliograph/domain";
import type pg from "pg";

/** A row of the messages index as MessageRequested gives it, with the status reached in the same batch. */
export type NewRow = {
  readonly position: bigint;
  readonly createdAtMs: number;
  readonly partner: string;
  readonly id: string;
  readonly channel: string;
  readonly to: string;
  readonly reply: boolean;
  readonly tags: readonly string[] | undefined;
  readonly clientRef: string | undefined;
  readonly metadata: object | undefined;
  status: MessageStatus;
};
export type RowKey = { readonly partner: string; readonly position: bigint };

/** NUL cannot be stored as text. The log keeps what was sent; the index can do without the character. */
const storable = (text: string): string =>
  text.includes("\u0000") ? text.replaceAll("\u0000", "") : text;

/** `jsonb` refuses escaped NULs and halves of surrogate pairs; such metadata is not indexed, and nobody can ask for it. */
const unstorable = /\\u0000|\\u[dD][89a-fA-F]/;
function metadataJson(metadata: object | undefined): string | null {
  if (metadata === undefined) return null;
  const json = JSON.stringify(metadata);
  return json === "{}" || unstorable.test(json) ? null : json;
}

const arrayLiteral = (items: readonly string[]): string =>
  `{${items.map((item) => `"${storable(item).replace(/["\\]/g, "\\$&")}"`).join(",")}}`;

/** New messages of a batch: one statement. */
export function insertRows(rows: readonly NewRow[]): WritePart {
  return {
    name: "messages_insert",
    sql: `insert into {schema}.messages (position, created_at, status, reply, partner, id, channel, "to", tags, metadata, client_ref)
      select position, created_at, status, reply, partner, id, channel, "to", tags::text[], metadata::jsonb, client_ref
      from unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::boolean[])
        as n(position, created_at, status, partner, id, channel, "to", tags, metadata, client_ref, reply)`,
    values: [
      `{${rows.map((row) => row.position).join(",")}}`,
      `{${rows.map((row) => row.createdAtMs).join(",")}}`,
      `{${rows.map((row) => statusRank(row.status)).join(",")}}`,
      `{${rows.map((row) => row.partner).join(",")}}`,
      `{${rows.map((row) => row.id).join(",")}}`,
      `{${rows.map((row) => row.channel).join(",")}}`,
      rows.map((row) => storable(row.to)),
      rows.map((row) =>
        row.tags === undefined || row.tags.length === 0 ? null : arrayLiteral(row.tags),
      ),
      rows.map((row) => metadataJson(row.metadata)),
      rows.map((row) => (row.clientRef === undefined ? null : storable(row.clientRef))),
      `{${rows.map((row) => row.reply).join(",")}}`,
    ],
  };
}

/** Messages that came to a rare status, whatever they come to later: one statement. */
export function noteRare(
  rows: readonly (RowKey & { readonly status: MessageStatus })[],
): readonly WritePart[] {
  if (rows.length === 0) return [];
  return [
    {
      name: "messages_rare",
      sql: `insert into {schema}.rare (partner, status, position)
        select * from unnest($1::text[], $2::smallint[], $3::bigint[]) on conflict do nothing`,
      values: [
        `{${rows.map((row) => row.partner).join(",")}}`,
        `{${rows.map((row) => statusRank(row.status)).join(",")}}`,
        `{${rows.map((row) => row.position).join(",")}}`,
      ],
    },
  ];
}

/**
 * Raises the status of older messages: one statement per status that occurs. The rows are looked up one by one through the primary key and
 * then fetched by their place: a join with the arrays would be planned as a scan of the table while the table is young, and stay so.
 */
export const raiseStatuses = (keys: Placed): WritePart[] =>
  writeStatuses(keys, "messages_raise", "and m.status < $3::smallint");

/** Makes the status of older messages what it is now, higher or lower. */
export const setStatuses = (keys: Placed): WritePart[] =>
  writeStatuses(keys, "messages_set", "and m.status <> $3::smallint");

type Placed = ReadonlyMap<MessageStatus, readonly RowKey[]>;

function writeStatuses(keys: Placed, name: string, where: string): WritePart[] {
  return statuses.flatMap((status): WritePart[] => {
    const rows = keys.get(status);
    if (rows === undefined || rows.length === 0) return [];
    return [
      {
        name,
        sql: `update {schema}.messages m set status = $3::smallint
          where m.ctid = any(array(
            select (select t.ctid from {schema}.messages t where t.partner = u.partner and t.position = u.position)
            from unnest($1::text[], $2::bigint[]) as u(partner, position)))
          ${where}`,
        values: [
          `{${rows.map((row) => row.partner).join(",")}}`,
          `{${rows.map((row) => row.position).join(",")}}`,
          statusRank(status),
        ],
      },
    ];
  });
}

/** Receipts that nothing matches yet: only whose they are; the receipts themselves are in the log. */
export const parkedDdl = `
create table if not exists {schema}.parked (
  message_id text primary key,
  expires_at timestamptz not null
);
`;

/** Whose receipts they are; rows of an earlier release do not say it. */
export const parkedPartnerDdl = "alter table {schema}.parked add column partner text;";

/** Receipts that wait: given up at a time (epoch milliseconds). */
export type Waiting = { readonly expiresAt: number; readonly partner: string | undefined };

/** Messages that have receipts waiting, those that are given up first in front. */
export async function readParked(
  pool: pg.Pool,
  schema: string,
  limit: number,
  shard?: Shard,
): Promise<Map<string, Waiting>> {
  const own =
    shard === undefined ? "" : `where ${shardSql("partner", shard.count)} = ${shard.index}`;
  const { rows } = await pool.query<{
    message_id: string;
    expires_at: Date;
    partner: string | null;
  }>(
    `select message_id, expires_at, partner from ${quoteSchema(schema)}.parked ${own} order by expires_at limit $1`,
    [limit],
  );
  return new Map(
    rows.map(({ message_id, expires_at, partner }) => [
      message_id,
      { expiresAt: expires_at.getTime(), partner: partner ?? undefined },
    ]),
  );
}

/** Changes since the last commit: messages that wait, and undefined for those that wait no longer. */
export function writeParked(changes: ReadonlyMap<string, Waiting | undefined>): WritePart[] {
  const added = [...changes].filter(
    (change): change is [string, Waiting] => change[1] !== undefined,
  );
  const removed = [...changes].filter(([, waiting]) => waiting === undefined);
  const parts: WritePart[] = [];
  if (added.length > 0)
    parts.push({
      name: "parked_add",
      sql: `insert into {schema}.parked (message_id, expires_at, partner)
        select id, to_timestamp(at / 1000.0), partner from unnest($1::text[], $2::bigint[], $3::text[]) as n(id, at, partner) on conflict (message_id) do nothing`,
      values: [
        added.map(([id]) => id),
        added.map(([, { expiresAt }]) => expiresAt),
        added.map(([, { partner }]) => partner ?? null),
      ],
    });
  if (removed.length > 0)
    parts.push({
      name: "parked_remove",
      sql: "delete from {schema}.parked where message_id = any($1::text[])",
      values: [removed.map(([id]) => id)],
    });
  return parts;
}
