import { newDataDir, removeDataDir, type Instance } from "@heliograph/testkit";
import type pg from "pg";
import { startMeasured } from "./instance.ts";
import { connectTo } from "./messages.ts";
import { partnerOf } from "./people.ts";
import { limitRow, ratioRow, type Row } from "./row.ts";

const goalMs = 200;
const calls = 40;
const days = 30;

/** Usage of thirty days of one partner's messages from their rollups, against the same sums over one plain row for each message. Both are made by SQL. */
export async function benchUsage(): Promise<Row[]> {
  const messages = Number(process.env["HELIOGRAPH_BENCH_USAGE"] ?? 1_000_000);
  const dataDir = newDataDir();
  const instance = await startMeasured(dataDir, { HELIOGRAPH_SERVICES: "ingress,usage,control" });
  const database = await connectTo(instance.databaseUrl, "sandbox");
  try {
    const rows = await fill(database, await partnerOf(instance), messages);
    const note = `${messages} messages in ${rows} rows of hours and days`;
    const answered: Row[] = [];
    for (const groups of ["day", "channel,country,status", "gateway,template", "day,tag", "hour"]) {
      const [median, high] = await timesOf(() => ask(instance, `group_by=${groups}`));
      answered.push(
        limitRow(`usage by ${groups}, p95`, "ms", high, goalMs, `p50 ${median} ms; ${note}`),
      );
    }
    const [raw] = await timesOf(() => count(database), 3);
    const [day] = await timesOf(() => ask(instance, "group_by=day"));
    return [
      ...answered,
      ratioRow(
        "usage by day: answers",
        "1/1000 s",
        1e6 / day,
        { value: 1e6 / raw, of: `counts over one row a message (${Math.round(raw)} ms)` },
        10,
      ),
    ];
  } finally {
    await database.end();
    await instance.stop();
    await removeDataDir(dataDir);
  }
}

/** Median and 95th percentile of these milliseconds. */
async function timesOf(
  work: () => Promise<unknown>,
  times = calls,
): Promise<readonly [number, number]> {
  const taken: number[] = [];
  for (let call = 0; call < times; call++) {
    const started = performance.now();
    await work();
    taken.push(performance.now() - started);
  }
  taken.sort((left, right) => left - right);
  const at = (share: number): number =>
    Math.round(taken[Math.floor(taken.length * share)]! * 10) / 10;
  return [at(0.5), at(0.95)];
}

async function ask({ baseUrl, sandboxKey }: Instance, query: string): Promise<void> {
  const answer = await fetch(`${baseUrl}/api/v1/usage?${query}`, {
    headers: { authorization: `Bearer ${sandboxKey}` },
  });
  const { data } = (await answer.json()) as { data?: readonly unknown[] };
  if (data === undefined || data.length === 0) throw new Error(`${query}: ${answer.status}`);
}

/** Each message as a row, in two channels, six countries, five templates, two gateways and three statuses; half of them have one of their template's four tags. */
async function fill(database: pg.Client, partner: string, messages: number): Promise<number> {
  await database.query(
    `create unlogged table bench_messages as
       select (extract(epoch from now()) / 3600)::int - (i % ($1 * 24))::int as hour, (array['sms', 'whatsapp'])[1 + (i * 7 % 11) % 2] as channel,
         (array['US', 'GB', 'DE', 'FR', 'IN', 'BR'])[1 + (i * 13 % 101) % 6] as country, 'template-' || (i * 17 % 103) % 5 as template,
         'gateway-' || (i * 19 % 107) % 2 as gateway, (array[5, 6, 7])[1 + (i * 23 % 109) % 3] as status,
         case when (i * 29 % 113) % 2 = 0 then 'tag-' || (i * 17 % 103) % 5 || '-' || (i * 31 % 127) % 4 end as tag,
         round(exp(6.7 + (random() + random() + random() - 1.5)))::int as to_sent, round(exp(7.7 + (random() + random() + random() - 1.5)))::int as to_delivered
       from generate_series(1, $2::bigint) i`,
    [days, messages],
  );
  // As service usage writes them: the buckets of a latency grow by 1.05 / 0.95, and each is told by its distance from the one before and its count, here below 128 each.
  const bucket = (column: string): string =>
    `1 + ceil(ln(greatest(${column}, 1)) / ln(1.05 / 0.95))::int`;
  const byte = (number: string): string =>
    `set_byte('\\x00'::bytea, 0, least(${number}, 127)::int)`;
  const sketch = (column: string): string =>
    `(select ${byte("count(*)")} || string_agg(${byte("step")} || ${byte("n")}, '' order by b)
      from (select b, b - lag(b, 1, 0) over (order by b) as step, n from (select b, count(*) as n from unnest(array_agg(${bucket(column)})) b group by b) c) s)`;
  const rollups = [
    ["hours", "hour"],
    ["days", "hour / 24"],
  ] as const;
  /** Kind, the columns that tell rows apart beside those that all have, and which messages. */
  const kinds = [
    ["0", "'', '', ''", "true"],
    ["1", "'', country, template", "tag is null"],
    ["2", "'', country, template", "tag is not null"],
    ["3", "tag, country, template", "tag is not null"],
    ["4", "'', '', ''", "tag is null"],
    ["5", "tag, '', ''", "tag is not null"],
  ] as const;
  for (const [table, at] of rollups)
    for (const [kind, columns, which] of kinds)
      await database.query(
        `insert into usage.${table} (partner, at, kind, tag, country, template, channel, gateway, status, currency, messages, segments, cost, to_sent, to_delivered)
         select $1, ${at}, ${kind}, ${columns}, channel, gateway, status, 'USD', count(*), count(*), count(*) * 7900, ${sketch("to_sent")}, ${sketch("to_delivered")}
         from bench_messages where ${which} group by ${at}, ${columns.replaceAll("'', ", "").replace("''", "channel")}, channel, gateway, status`,
        [partner],
      );
  await database.query("vacuum analyze usage.hours, usage.days, bench_messages");
  const { rows } = await database.query(
    "select (select count(*) from usage.hours)::int + (select count(*) from usage.days)::int as rows",
  );
  return rows[0].rows as number;
}

/** What the rollups spare. */
const count = (database: pg.Client): Promise<unknown> =>
  database.query(
    `select hour / 24 as day, count(*), count(*) filter (where status >= 7), percentile_disc(array[0.5, 0.95]) within group (order by to_sent),
       percentile_disc(array[0.5, 0.95]) within group (order by to_delivered) from bench_messages group by 1`,
  );
