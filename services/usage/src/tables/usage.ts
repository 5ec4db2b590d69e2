import { type MessageStatus, readSketch, type Sketch, statusRank } from "@heliograph/domain";
import type pg from "pg";
import { kinds } from "../rows.ts";

const table = (name: string): string => `
create table if not exists {schema}.${name} (
  partner text not null,
  at int not null, -- ${name} since 1970 UTC
  kind smallint not null, -- 0 all messages without country and template, 1 those without tags, 2 those with tags, 3 those of one tag, 4 and 5 as 1 and 3 without country and template
  tag text not null,
  channel text not null,
  country text not null,
  template text not null,
  gateway text not null,
  status smallint not null, -- the rank of the status
  currency text not null,
  messages bigint not null,
  segments bigint not null,
  cost bigint not null, -- micro-units
  to_sent bytea not null,
  to_delivered bytea not null,
  primary key (partner, at, kind, tag, channel, country, template, gateway, status, currency)
) with (fillfactor = 70);`;

/**
 * Rollups, written in ../store.ts. Rows change while the messages of their hour are under way; no index holds what changes, so an update rewrites none (HOT),
 * for which the fillfactor leaves room. Days are kept beside the hours because a month of hours is 24 times as many rows. `names` are what is counted under a name of its own,
 * `written_off` the messages that the wallet wrote off, and where: their own streams do not say it.
 */
export const usageDdl = `${table("hours")}${table("days")}
create table if not exists {schema}.names (
  partner text not null,
  day int not null,
  kind text not null,
  name text not null,
  primary key (partner, day, kind, name)
);
create table if not exists {schema}.written_off (
  partner text not null,
  message_id text not null,
  position bigint not null,
  primary key (message_id, position)
);
`;

export const groups = [
  "day",
  "hour",
  "channel",
  "country",
  "status",
  "gateway",
  "template",
  "tag",
  "currency",
] as const;
export type Group = (typeof groups)[number];

/** How a group is told from the columns; `hour` is hours since 1970 UTC there. Texts are compared as bytes, in whatever locale the database is. */
const expressions: Readonly<Record<Group, string>> = {
  day: "hour / 24",
  hour: "hour",
  status: "status",
  channel: 'channel collate "C"',
  country: 'country collate "C"',
  gateway: 'gateway collate "C"',
  template: 'template collate "C"',
  tag: 'tag collate "C"',
  currency: 'currency collate "C"',
};
const numeric: ReadonlySet<Group> = new Set(["day", "hour", "status"]);

const rank = (...statuses: readonly MessageStatus[]): string => statuses.map(statusRank).join(",");
const withStatus = (...statuses: readonly MessageStatus[]): string =>
  `coalesce(sum(messages) filter (where status in (${rank(...statuses)})), 0)::text`;

/** What is counted, as it is told outside. */
const counts = {
  accepted: "sum(messages)::text",
  sent: "coalesce(sum(messages) filter (where gateway <> ''), 0)::text",
  delivered: withStatus("delivered", "read"),
  read: withStatus("read"),
  failed: withStatus("failed"),
  bounced: withStatus("bounced"),
  expired: withStatus("expired"),
  rejected: withStatus("rejected"),
  canceled: withStatus("canceled"),
  segments: "sum(segments)::text",
} as const;
export type Count = keyof typeof counts;
export const countNames = Object.keys(counts) as Count[];

export type UsageQuery = {
  readonly partner: string;
  /** In hours since 1970 UTC: from the first one up to, without, the second. */
  readonly from: number;
  readonly to: number;
  /** At least the currency: money of several is never added. */
  readonly groups: readonly Group[];
  readonly limit: number;
  /** The groups of the row behind which the page begins. */
  readonly after: readonly (string | number)[] | undefined;
};
export type UsageRow = {
  readonly groups: readonly (string | number)[];
  readonly counts: Readonly<Record<Count, number>>;
  readonly costMicros: bigint;
  readonly toSent: Sketch;
  readonly toDelivered: Sketch;
};
export type UsagePage = { readonly rows: readonly UsageRow[]; readonly asOf: bigint };

type Stored = Readonly<Record<Count, string>> & {
  readonly groups: readonly (string | number)[];
  readonly cost: string;
  readonly to_sent: string;
  readonly to_delivered: string;
};

/** The fewest rows that tell the groups apart and have each message once, or once for each tag. */
function kindsFor(by: readonly Group[]): readonly number[] {
  const isWide = by.includes("country") || by.includes("template");
  if (by.includes("tag"))
    return isWide ? [kinds.untagged, kinds.tag] : [kinds.narrowUntagged, kinds.narrowTag];
  return isWide ? [kinds.untagged, kinds.tagged] : [kinds.narrow];
}

/** Where whole days lie in a range of hours: their first and the end of the last. */
function wholeDays({ from, to, groups: by }: UsageQuery): readonly [number, number] {
  const [first, end] = [Math.ceil(from / 24) * 24, Math.floor(to / 24) * 24];
  return by.includes("hour") || end <= first ? [to, to] : [first, end];
}

/**
 * Sums of rows, one for each combination of the groups that occurs, in their order; `limit + 1` of them where there are more. Whole days come from the days and the
 * rest from the hours. Percentiles are those of the sketches laid end to end, which is their merge.
 */
export async function readUsage(pool: pg.Pool, query: UsageQuery): Promise<UsagePage> {
  const { partner, from, to, groups: by, limit, after } = query;
  const [first, end] = wholeDays(query);
  const kind = kindsFor(by);
  const columns =
    "kind, tag, channel, country, template, gateway, status, currency, messages, segments, cost, to_sent, to_delivered";
  const part = (grain: string, hour: string, low: string, high: string): string =>
    `select ${hour} as hour, ${columns} from usage.${grain} where partner = $1 and at >= ${low} and at < ${high} and kind = any($2)`;
  const keys = by.map((group) => expressions[group]).join(", ");
  const behind = by.map((group, index) =>
    numeric.has(group) ? `$${8 + index}::int` : `$${8 + index}::text collate "C"`,
  );
  const { rows } = await pool.query<Partial<Stored> & { as_of: string | null }>({
    name: `usage_${by.join("_")}${after === undefined ? "" : "_after"}`,
    text: `with picked as (
        ${part("hours", "at", "$3", "$4")} union all ${part("days", "at * 24", "$4 / 24", "$5 / 24")} union all ${part("hours", "at", "$5", "$6")}),
      summed as (
        select json_build_array(${keys}) as groups, row_number() over (order by ${keys}) as n,
          ${Object.entries(counts)
            .map(([name, sum]) => `${sum} as ${name}`)
            .join(", ")}, sum(cost)::text as cost,
          encode(string_agg(to_sent, ''), 'base64') as to_sent, encode(string_agg(to_delivered, ''), 'base64') as to_delivered
        from picked ${after === undefined ? "" : `where (${keys}) > (${behind.join(", ")})`}
        group by ${keys} order by ${keys} limit $7)
      select summed.*, checkpoint.position::text as as_of from (select max(position) as position from usage.checkpoint where name = 'usage') checkpoint
        left join summed on true order by summed.n`,
    values: [partner, kind, from, first, end, to, limit + 1, ...(after ?? [])],
  });
  const found = rows.filter(
    (row): row is Stored & { as_of: string } => row.groups !== undefined && row.groups !== null,
  );
  return { rows: found.map(rowOf), asOf: BigInt(rows[0]?.as_of ?? 0) };
}

const rowOf = (row: Stored): UsageRow => ({
  groups: row.groups,
  counts: Object.fromEntries(countNames.map((name) => [name, Number(row[name])])) as Record<
    Count,
    number
  >,
  costMicros: BigInt(row.cost),
  toSent: readSketch(Buffer.from(row.to_sent, "base64")),
  toDelivered: readSketch(Buffer.from(row.to_delivered, "base64")),
});
