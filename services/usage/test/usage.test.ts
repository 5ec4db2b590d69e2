import { newId, streamOf } from "@heliograph/contracts";
import { parsePosition } from "@heliograph/log";
import { openWorld, type World } from "@heliograph/testkit/world";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { viewOf } from "../src/api/view.ts";
import { service } from "../src/index.ts";
import { maxNames } from "../src/names.ts";
import { readUsage } from "../src/tables/usage.ts";
import { append, eventsOf, type Life } from "./lives.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld({ services: [service], consumers: "run" });
});
afterAll(() => world.close());

const log = () => world.platform.contexts.sandbox.log;
const atOf = (time: string): Life => ({
  asked: { createdAt: Date.parse(time) - Date.parse("2026-10-31T20:00:00.000Z") },
  types: [],
  gaps: [],
  gateways: ["sim-1", "sim-1"],
});
const delivered = (life: Life): Life => ({
  ...life,
  types: ["MessageSent", "MessageDelivered"],
  gaps: [100, 2_000],
});

type Told = ReturnType<typeof viewOf>;
/** Usage with all that was appended so far. */
async function usage(query: string, key: string) {
  const position = String(await log().head());
  const answer = await world.call("GET", `/api/v1/usage?${query}`, {
    key,
    headers: { "min-log-position": position },
  });
  const rows: readonly Told[] = answer.body?.data ?? [];
  return { ...answer, rows };
}

test("A late receipt changes the row of the day in which its message was accepted, and no other", async () => {
  const { id, key } = await world.addPartner();
  const eve = eventsOf(delivered(atOf("2026-06-30T23:59:58.000Z")), newId("msg"), id);
  const stream = streamOf("message", String((eve[0]!.data as { message_id: string }).message_id));
  await log().append([{ stream, expected: "no_stream", events: eve.slice(0, 2) }]);
  await append(
    log(),
    [delivered(atOf("2026-07-01T00:00:01.000Z")), atOf("2026-07-02T10:00:00.000Z")],
    id,
  );
  const query = "from=2026-06-01&to=2026-07-31&group_by=";
  const before = await usage(`${query}day`, key);
  await log().append([{ stream, expected: 1, events: eve.slice(2) }]);
  const after = await usage(`${query}day`, key);
  expect(after.rows.map(({ day }) => day)).toEqual(["2026-06-30", "2026-07-01", "2026-07-02"]);
  expect(after.rows.slice(1)).toEqual(before.rows.slice(1));
  expect(before.rows[0]).toMatchObject({ accepted: 1, sent: 1, delivered: 0 });
  expect(after.rows[0]).toMatchObject({
    accepted: 1,
    sent: 1,
    delivered: 1,
    cost: before.rows[0]!.cost,
  });
  expect(
    parsePosition(after.body.as_of_position)! > parsePosition(before.body.as_of_position)!,
  ).toBe(true);
  const {
    rows: [total],
  } = await usage(`${query}currency`, key);
  for (const column of ["accepted", "sent", "delivered", "segments"] as const)
    expect(after.rows.reduce((sum: number, row: Told) => sum + row[column], 0)).toBe(
      total![column],
    );
});

test("A message with two tags is once in the row of each, untagged ones have a row, and totals count each once", async () => {
  const { id, key } = await world.addPartner();
  const tagged = (...tags: string[]): Life => ({
    ...atOf("2026-06-30T12:00:00.000Z"),
    asked: { ...atOf("2026-06-30T12:00:00.000Z").asked, tags },
  });
  await append(log(), [tagged("a", "b", "a"), tagged("b"), tagged()], id);
  const range = "from=2026-06-30&to=2026-06-30&group_by=";
  const { rows } = await usage(`${range}tag`, key);
  expect(rows.map((row) => [row.tag, row.accepted])).toEqual([
    [null, 1],
    ["a", 1],
    ["b", 2],
  ]);
  expect((await usage(`${range}day`, key)).rows[0]!.accepted).toBe(3);
});

test("What comes when a day has its names counts as others, in every grain, and the rest is unharmed", async () => {
  const { id, key } = await world.addPartner();
  const names = Array.from({ length: maxNames.tag + 30 }, (_, index) => `t${index}`);
  const lives = Array.from({ length: names.length / 10 }, (_, index): Life => {
    const life = atOf("2026-06-30T12:30:00.000Z");
    return { ...life, asked: { ...life.asked, tags: names.slice(index * 10, index * 10 + 10) } };
  });
  await append(log(), lives, id);
  await append(
    log(),
    [{ ...lives[0]!, asked: { ...lives[0]!.asked, tags: ["t0", "t229", "t228"] } }],
    id,
  );
  for (const range of [
    "from=2026-06-30&to=2026-06-30",
    "from=2026-06-30T12:00:00Z&to=2026-06-30T13:00:00Z",
  ]) {
    const { rows } = await usage(`${range}&group_by=tag&limit=1000`, key);
    const count = (tag: string) => rows.find((row) => row.tag === tag)?.accepted;
    expect(rows).toHaveLength(maxNames.tag + 1);
    expect([count("t0"), count("t199"), count("t200"), count("(other)")]).toEqual([
      2,
      1,
      undefined,
      4,
    ]);
  }
});

test("Borders are those of UTC days and hours, in whatever zone process and database are", async () => {
  const { id, key } = await world.addPartner();
  const times = [
    "2026-11-01T05:59:00.000Z",
    "2026-11-01T06:59:00.000Z",
    "2026-11-01T07:59:00.000Z",
    "2026-11-01T23:59:59.999Z",
    "2026-11-02T00:00:00.001Z",
  ];
  await append(log(), times.map(atOf), id);
  const query = "from=2026-10-30&to=2026-11-03&group_by=";
  const zone = process.env["TZ"];
  try {
    for (const other of ["America/New_York", "Asia/Tokyo", "UTC"]) {
      process.env["TZ"] = other;
      const days = await usage(`${query}day`, key);
      expect(days.rows.map((row) => [row.day, row.accepted])).toEqual([
        ["2026-11-01", 4],
        ["2026-11-02", 1],
      ]);
      const hours = await usage(`${query}hour`, key);
      expect(hours.rows.map((row) => row.hour)).toEqual([
        "2026-11-01T05:00:00.000Z",
        "2026-11-01T06:00:00.000Z",
        "2026-11-01T07:00:00.000Z",
        "2026-11-01T23:00:00.000Z",
        "2026-11-02T00:00:00.000Z",
      ]);
    }
  } finally {
    if (zone === undefined) delete process.env["TZ"];
    else process.env["TZ"] = zone;
  }
  const { connection } = world.platform.contexts.sandbox;
  const hour = 3_600_000;
  const asked = {
    partner: id,
    from: Date.parse("2026-10-30T20:00:00Z") / hour,
    to: Date.parse("2026-11-03T05:00:00Z") / hour,
    groups: ["day", "currency"],
    limit: 10,
    after: undefined,
  } as const;
  const hourOf = (time: string): number => Date.parse(time) / hour;
  for (const zone of ["America/New_York", "Asia/Tokyo"]) {
    const pool = new pg.Pool({ ...connection, options: `-c TimeZone=${zone}`, max: 1 });
    const counts = async (range: object) =>
      (await readUsage(pool, { ...asked, ...range })).rows.map((row) => row.counts.accepted);
    expect(await counts({})).toEqual([4, 1]);
    // Parts of days, from the hours, beside whole ones.
    expect(await counts({ from: hourOf("2026-11-01T06:00:00Z") })).toEqual([3, 1]);
    expect(await counts({ to: hourOf("2026-11-01T07:00:00Z") })).toEqual([2]);
    await pool.end();
  }
});

test("Rows are bounded and paged, each once; ranges that are too long, empty or no times are refused by name", async () => {
  const { id, key } = await world.addPartner();
  await append(
    log(),
    Array.from({ length: 7 }, (_, index) => atOf(`2026-06-${10 + index}T00:30:00.000Z`)),
    id,
  );
  const seen: string[] = [];
  for (let after = ""; ;) {
    const { body, rows } = await usage(
      `from=2026-06-01&to=2026-06-30&group_by=day,channel&limit=3${after}`,
      key,
    );
    seen.push(...rows.map(({ day }) => day!));
    expect(rows.length).toBeLessThanOrEqual(3);
    if (body.next_cursor === null) break;
    after = `&after=${body.next_cursor}`;
    const foreign = await usage(`from=2026-06-01&to=2026-06-30&group_by=day&limit=3${after}`, key);
    expect([foreign.status, foreign.body.errors?.[0].code]).toEqual([422, "invalid_cursor"]);
  }
  expect(seen).toEqual(["10", "11", "12", "13", "14", "15", "16"].map((day) => `2026-06-${day}`));
  const refused = async (query: string): Promise<string> => {
    const { status, body } = await usage(query, key);
    return `${status} ${body.errors?.[0].path} ${body.errors?.[0].code}`;
  };
  expect(await refused("from=2025-01-01&to=2026-06-30")).toBe("422 from range_too_long");
  expect(await refused("from=2026-05-01&to=2026-06-30&group_by=hour,tag,template")).toBe(
    "422 from range_too_long",
  );
  expect(await refused("from=2026-06-02&to=2026-06-01")).toBe("422 to invalid_range");
  expect(await refused("from=2099-01-01")).toBe("422 from invalid_range");
  expect(await refused("from=2026-02-30")).toMatch(/^422 from/);
  expect(await refused("from=yesterday")).toMatch(/^422 from/);
  expect(await refused("group_by=day,contact")).toMatch(/^422 group_by/);
  expect(await refused("limit=10001")).toMatch(/^422 limit/);
  expect(await refused("customer=1")).toMatch(/^422 customer/);
  // With `to` alone the range is as bounded as without either.
  const { body } = await usage("to=2026-06-15&group_by=hour,tag,template", key);
  expect([body.from, body.to]).toEqual(["2026-05-17T00:00:00.000Z", "2026-06-16T00:00:00.000Z"]);
  const now = await usage("", key);
  expect((Date.parse(now.body.to) - Date.parse(now.body.from)) / 86_400_000).toBe(30);
  expect(now.body.data).toEqual([]);
});

test("The file has the rows of the answer, with numbers as numbers and no text that runs", async () => {
  const { id, key } = await world.addPartner();
  const life = atOf("2026-06-30T12:00:00.000Z");
  await append(
    log(),
    ["=1+1", "plain, with a comma", "@x"].map((tag) =>
      delivered({ ...life, asked: { ...life.asked, tags: [tag], micros: 12_500 } }),
    ),
    id,
  );
  const query = "from=2026-06-30&to=2026-06-30&group_by=tag";
  const file = await usage(`${query}&format=csv&limit=2`, key);
  expect(file.headers.get("content-type")).toBe("text/csv; charset=utf-8");
  expect(file.headers.get("as-of-position")).toBe((await usage(query, key)).body.as_of_position);
  const [head, ...lines] = file.text.replace("\ufeff", "").trimEnd().split("\r\n");
  expect(head).toBe(
    "tag,currency,accepted,sent,delivered,read,failed,bounced,expired,rejected,canceled,segments,cost,accepted_to_sent_p50_ms,accepted_to_sent_p95_ms,sent_to_delivered_p50_ms,sent_to_delivered_p95_ms",
  );
  expect(lines).toEqual([
    expect.stringMatching(/^'=1\+1,USD,1,1,1,0,0,0,0,0,0,1,0\.0125,\d+/),
    expect.stringMatching(/^'@x,USD,1,1,1/),
  ]);
  const nextOf = (headers: Headers): string => /<(.*)>; rel="next"/.exec(headers.get("link")!)![1]!;
  const next = new URL(nextOf(file.headers));
  const rest = await fetch(next, { headers: { authorization: `Bearer ${key}` } });
  expect((await rest.text()).split("\r\n")[1]).toMatch(/^"plain, with a comma",USD,1/);
  // A page that was asked for by the cursor's other name leads on all the same.
  const first = await usage(`${query}&format=csv&limit=1`, key);
  const after = new URL(nextOf(first.headers)).searchParams.get("after");
  const second = await usage(`${query}&format=csv&limit=1&cursor=${after}`, key);
  const third = new URL(nextOf(second.headers));
  const last = await usage(third.search.slice(1), key);
  expect([last.status, last.text.split("\r\n")[1]]).toEqual([
    200,
    expect.stringMatching(/^"plain, with a comma"/),
  ]);
});

test("A key sees its own partner and environment, and only with the scope", async () => {
  const { id, key } = await world.addPartner();
  await append(log(), [atOf("2026-06-30T12:00:00.000Z")], id);
  const query = "from=2026-06-30&to=2026-06-30";
  expect((await usage(query, key)).rows).toHaveLength(1);
  const other = await world.addPartner();
  expect((await usage(query, other.key)).rows).toEqual([]);
  const live = await world.addKey(id, { environment: "live" });
  const answer = await world.call("GET", `/api/v1/usage?${query}`, { key: live });
  expect(answer.body.data).toEqual([]);
  const narrow = await world.addKey(id, { scopes: ["messages:read"] });
  expect((await usage(query, narrow)).body).toMatchObject({
    code: "insufficient_scope",
    required_scope: "usage:read",
  });
  expect((await usage(query, await world.addKey(id, { scopes: ["usage:read"] }))).status).toBe(200);
});
