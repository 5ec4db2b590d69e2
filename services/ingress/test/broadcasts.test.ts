import { service as contactsService } from "@heliograph/contacts";
import { streamOf, uuid7 } from "@heliograph/contracts";
import { service as control } from "@heliograph/control";
import { service as dispatch } from "@heliograph/dispatch";
import { service as sandbox } from "@heliograph/sandbox";
import { service as suppressions } from "@heliograph/suppressions";
import type { RecordedEvent } from "@heliograph/log";
import { type Consumer, runConsumer } from "@heliograph/runtime";
import { spawnService, until } from "@heliograph/testkit";
import { service as templates } from "@heliograph/templates";
import { openWorld, type World } from "@heliograph/testkit/world";
import { service as wallet } from "@heliograph/wallet";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { broadcastsReactor } from "../src/broadcasts/reactor.ts";
import { costOfAll } from "../src/broadcasts/preview.ts";
import { messageIdOf } from "../src/broadcasts/sends.ts";
import { service } from "../src/service.ts";
import { bounce, chosenOf, correction, countsByAddress, requestsWith } from "./broadcast-facts.ts";

// Each waits for several turns of consumers, which take seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

// oxlint-disable-next-line typescript/no-explicit-any -- an answer of any route
type Body = Record<string, any>;
const masterKey = "b0".repeat(32);
let world: World;
let fanOut: { stop(): Promise<void> };
const running: { stop(): Promise<void> }[] = [];
const run = (consumer: Consumer) => runConsumer(consumer, world.platform.contexts.sandbox);
const runFanOut = () => run(broadcastsReactor());
beforeAll(async () => {
  const others = [contactsService, wallet, dispatch, suppressions];
  world = await openWorld({
    services: [service, sandbox, templates, control, ...others],
    consumers: "tables",
    partners: [{}, { funds: "0.04" }],
    env: { HELIOGRAPH_MASTER_KEY: masterKey },
  });
  // Those of the sandbox alone; of them the broadcasts' is stopped, and a process of its own takes its place.
  for (const other of others)
    for (const consumer of other.consumers!(world.platform.contexts.sandbox))
      running.push(await run(consumer));
  fanOut = await runFanOut();
}, 60_000);
afterAll(async () => {
  for (const each of [fanOut, ...running]) await each.stop();
  await world.close();
});

const keyOf = (at: number): string => world.partners[at]!.key;
const post = (path: string, body?: object, key = keyOf(0), headers = {}) =>
  world.call("POST", `/api/v1${path}`, { key, ...(body && { body }), headers });
const get = async (path: string, key = keyOf(0)): Promise<Body> =>
  (await world.call("GET", `/api/v1${path}`, { key })).body;

let people = 0;
/** Contacts with a tag of their own, from rows of the columns sms and email; gives the ids of the newest hundred. */
async function contacts(tag: string, rows: readonly string[], key = keyOf(0)) {
  const raw = [
    "name,sms,email,tags",
    ...rows.map((row, at) => `n${at},${row},"[""${tag}""]"`),
  ].join("\n");
  const headers = { "content-type": "text/csv" };
  const { body } = await world.call("POST", "/api/v1/contact-imports", { key, raw, headers });
  await until(async () => (await get(`/contact-imports/${body.id}`, key))["status"] === "done");
  const data = await until(async () => {
    const { data: all } = await get(`/contacts?tag=${tag}&limit=100`, key);
    return all.length === Math.min(rows.length, 100) && all;
  });
  return (data as Body[]).map(({ id }) => id as string);
}
const phone = (): string => `+1555${String(3_005_000 + ++people)}`;
const phones = (count: number): string[] => Array.from({ length: count }, () => `${phone()},`);

async function draft(body: object, key = keyOf(0)): Promise<string> {
  const made = await post("/broadcasts", { channel: "sms", text: "Hello", ...body }, key);
  expect(made.status, made.text).toBe(201);
  expect(made.body).toMatchObject({ status: "draft", paused_for: null });
  return made.body.id;
}
async function started(body: object, key = keyOf(0)): Promise<string> {
  const id = await draft(body, key);
  const answer = await post(`/broadcasts/${id}/start`, undefined, key);
  expect([answer.status, answer.body.status]).toEqual([200, "running"]);
  return id;
}
const shows = (id: string, what: object, key = keyOf(0)): Promise<Body> =>
  until(
    async () => {
      const found = await get(`/broadcasts/${id}`, key);
      return (expect(found).toMatchObject(what), found);
    },
    { timeoutMs: 30_000, what: `it is ${JSON.stringify(what)}` },
  );
const recipients = async (id: string, query = ""): Promise<Body[]> =>
  (await get(`/broadcasts/${id}/recipients?limit=100${query}`))["data"];
const pool = () => world.platform.contexts.sandbox.pool;
/** The recipients as the table has them. */
const stored = async (id: string, rest: string): Promise<Body[]> => {
  const text = `select message_id, case state when 'accepted' then message_id end as sent from broadcasts.recipients where broadcast_id = $1 ${rest}`;
  return (await pool().query(text, [id])).rows;
};
const setStatus = (id: string, status: string) =>
  pool().query("update broadcasts.broadcasts set status = $2 where id = $1", [id, status]);
/** Appends what somebody else would tell of a message. */
async function told(id: string, type: string, more: object, partner = world.partners[0]!.id) {
  const data = { message_id: id, message: { channel: "sms", to: "+15550000000" }, ...more };
  const event = { id: uuid7(), type, data, metadata: { partner } } as never;
  const [outcome] = await world.platform.contexts.sandbox.log.append([
    { stream: streamOf("message", id), expected: "any", events: [event] },
  ]);
  expect(outcome).toMatchObject({ kind: "appended" });
}
/** How many messages with this text there are for each of the contacts' addresses. */
const messagesTo = async (partner: string, text: string) =>
  countsByAddress(await requestsWith(world.platform.contexts.sandbox, partner, text));

/** Such as a row of `contacts` has it. */
const numberOf = (row: string): string => row.split(",")[0]!;
const once = (rows: readonly string[]) => Object.fromEntries(rows.map((row) => [numberOf(row), 1]));

test("Everybody of the audience is sent one message, and whoever is not is listed with the reason", async () => {
  const rows = [...phones(110), ",nobody@example.com", ...phones(1)];
  await contacts("spring", rows);
  await contacts("autumn", phones(2));
  await post("/suppressions", { channel: "sms", to: numberOf(rows.at(-1)!) });
  const id = await started({ name: "Spring", audience: { tag: "spring" }, text: "Spring" });
  const counts = { audience: 112, accepted: 110, sent: 110, failed: 0, skipped: 2 };
  expect(await shows(id, { status: "done", counts })).toMatchObject({ name: "Spring" });
  expect(await messagesTo(world.partners[0]!.id, "Spring")).toEqual(once(rows.slice(0, 110)));
  const skipped = await recipients(id, "&status=skipped");
  expect(skipped.map(({ reason }) => reason)).toEqual(["no_address", "recipient_suppressed"]);
  const [first] = await recipients(id, "&status=accepted");
  const { data } = await get(`/messages/${first!["message_id"]}/timeline`);
  const about = { actor: id, data: { channel: "sms", priority: 0 } };
  expect(data[0]).toMatchObject({ type: "MessageRequested", ...about });
  expect((await get("/broadcasts?limit=1"))["data"]).toMatchObject([{ id, counts }]);
  const numbered = (await recipients(id)).map(({ message_id }) => message_id);
  expect(numbered).toEqual((await stored(id, "order by number limit 100")).map((row) => row.sent));

  const tell = (type: string, data: object) => told(first!["message_id"], type, data);
  for (const _ of [1, 2]) await tell("MessageBounced", bounce);
  await shows(id, { counts: { ...counts, sent: 109, failed: 1 } });
  await tell("MessageCorrected", correction);
  await shows(id, { counts });
});

test("One that is paused sends nothing until it is resumed, and nothing after it was canceled", async () => {
  const slow = phones(40);
  await contacts("slow", slow);
  const english = (text: string) => ({ variables: {}, languages: { en: { text } } });
  const versions = "/templates/slow/versions";
  const slug = { slug: "slow", channel: "sms", default_language: "en" };
  await post("/templates", { ...slug, ...english("Slow") });
  const said = { template: "slow", text: undefined };
  const id = await started({ audience: { tag: "slow" }, ...said, per_second: 4 });
  const accepted = async (): Promise<number> => (await get(`/broadcasts/${id}`))["counts"].accepted;
  await until(async () => (await accepted()) > 0);
  expect((await post(versions, english("Newer"))).status).toBe(201);
  const [earlier, partner] = [await accepted(), world.partners[0]!.id];
  await until(async () => (await accepted()) > earlier + 1);
  const { counts, started_at: from } = await get(`/broadcasts/${id}`);
  // Four a second at most; a clock of whole milliseconds may be one behind.
  expect(Date.now() - Date.parse(from) + 1).toBeGreaterThanOrEqual((counts.accepted - 1) * 250);
  expect((await post(`/broadcasts/${id}/pause`)).body).toMatchObject({
    status: "paused",
    paused_for: { code: "requested" },
  });
  await contacts("quick", phones(3));
  // Another one runs from its beginning to its end: by then this one would have had its turn.
  const turn = async (): Promise<number> => {
    await shows(await started({ audience: { tag: "quick" } }), { status: "done" });
    return accepted();
  };
  const before = await turn();
  expect(await messagesTo(partner, "Newer")).toEqual({});
  expect(await turn()).toBe(before);
  expect((await post(`/broadcasts/${id}/start`)).status).toBe(409);
  expect((await post(`/broadcasts/${id}/resume`)).body.status).toBe("running");
  await until(async () => (await accepted()) > before);
  expect((await post(`/broadcasts/${id}/cancel`)).body.status).toBe("canceled");
  const last = await turn();
  expect(await turn()).toBe(last);
  expect(last).toBeLessThan(slow.length);
  const [older, newer] = [await messagesTo(partner, "Slow"), await messagesTo(partner, "Newer")];
  expect([older, newer].map((each) => Object.keys(each).length)).toEqual([before, last - before]);
  // Where the table has not been told yet.
  await setStatus(id, "running");
  expect(await turn()).toBe(last);
  await setStatus(id, "canceled");
  expect((await post(`/broadcasts/${id}/resume`)).status).toBe(409);
});

test("Want of money pauses it and loses nobody, also when the wallet says so after the message was accepted", async () => {
  const { id: partner, key } = world.partners[1]!;
  const rows = phones(9);
  await contacts("poor", rows, key);
  const id = await started({ audience: { tag: "poor" }, text: "Poor", per_second: 36 }, key);
  const paid = await shows(
    id,
    { status: "paused", paused_for: { code: "insufficient_funds" }, counts: { skipped: 0 } },
    key,
  );
  expect(paid["counts"].accepted).toBe(5);
  const pending = (await get(`/broadcasts/${id}/recipients?status=pending`, key))["data"] as Body[];
  // What the wallet would say of one that it does not cover.
  const { contact_id } = pending[0]!;
  const of = (attempt: number) => messageIdOf("sandbox", partner, id, { contact_id, attempt });
  const unpaid = { code: "insufficient_funds", class: "account", permanent: true };
  await told(of(0), "MessageRejected", { error: unpaid }, partner);
  await post("/wallet/topups", { amount: "1" }, key);
  await until(async () => {
    await post(`/broadcasts/${id}/resume`, undefined, key);
    return (await get(`/broadcasts/${id}`, key))["status"] === "done";
  });
  await shows(id, { counts: { audience: 9, accepted: 9, sent: 9, skipped: 0 } }, key);
  expect(await messagesTo(partner, "Poor")).toEqual(once(rows));
  const sent = (await get(`/broadcasts/${id}/recipients`, key))["data"] as Body[];
  const again = sent.find((each) => each["contact_id"] === contact_id);
  expect(again!["message_id"]).toBe(of(1));
});

test("It is its partner's alone, and a contact is sent to once however often it is named", async () => {
  const [own] = await contacts("own", phones(1));
  const [theirs] = await contacts("theirs", phones(1), keyOf(1));
  const body = { audience: { contact_ids: [own, theirs, own] }, channel: "sms", text: "Named" };
  const drafts = [1, 2].map(() => post("/broadcasts", body, keyOf(0), { "idempotency-key": "n" }));
  // The one that comes second is told that the first is under way, or answered as it was.
  const made = (await Promise.all(drafts)).flatMap(({ body: { id } }) => id ?? []) as string[];
  const id = made[0]!;
  expect(new Set(made)).toEqual(new Set([id]));
  for (const path of [`/broadcasts/${id}`, `/broadcasts/${id}/recipients`])
    expect((await get(path, keyOf(1)))["code"], path).toBe("not_found");
  for (const name of ["start", "pause", "resume", "cancel"])
    expect((await post(`/broadcasts/${id}/${name}`, undefined, keyOf(1))).status, name).toBe(404);
  expect(
    (await get("/broadcasts", keyOf(1)))["data"].map((each: Body) => each["id"]),
  ).not.toContain(id);
  await post(`/broadcasts/${id}/start`);
  await shows(id, { status: "done", counts: { audience: 2, accepted: 1, sent: 1, skipped: 1 } });
  expect(await recipients(id)).toMatchObject([
    { contact_id: own, status: "accepted" },
    { contact_id: theirs, status: "skipped", reason: "contact_not_found", message_id: null },
  ]);
});

test("Whoever was merged or erased since is sent to as the contact that there is now, or not at all", async () => {
  const all = await contacts("changing", phones(4));
  const [into] = await contacts("survivor", phones(1));
  const id = await started({ audience: { tag: "changing" }, text: "Changed", per_second: 1 });
  await until(async () => (await get(`/broadcasts/${id}`))["counts"].accepted > 0);
  await post(`/broadcasts/${id}/pause`);
  const left = (await recipients(id, "&status=pending")).map((each) => each["contact_id"]);
  const [merged, erased, known] = left as [string, string, string];
  // Its message is in the log, and nobody knows: the append had no answer.
  const sent = (await stored(id, `and contact_id = '${known}'`))[0]!["message_id"];
  await told(sent, "MessageBounced", bounce);
  // Whatever becomes of the broadcast: it was accepted, since it has an outcome.
  const isIn = (rows: Body[]) => rows.some(({ message_id }) => message_id === sent);
  await until(async () => isIn(await recipients(id, "&status=accepted")));
  expect(new Set(all)).toEqual(
    new Set([
      ...left,
      ...(await recipients(id, "&status=accepted")).map((each) => each["contact_id"]),
    ]),
  );
  await post(`/contacts/${merged}/merge`, { into });
  for (const gone of [erased, known]) {
    await world.call("DELETE", `/api/v1/contacts/${gone}`, { key: keyOf(0) });
    const read = () => world.call("GET", `/api/v1/contacts/${gone}`, { key: keyOf(0) });
    await until(async () => (await read()).status === 410);
  }
  expect((await post(`/broadcasts/${id}/resume`)).status).toBe(200);
  const counts = { audience: 5, accepted: 3, sent: 2, failed: 1, skipped: 2 };
  await shows(id, { status: "done", counts });
  expect(await recipients(id)).toMatchObject([
    { status: "accepted" },
    { contact_id: merged, reason: "contact_merged" },
    { contact_id: erased, reason: "contact_erased" },
    { contact_id: known, status: "accepted", message_id: sent },
    { contact_id: into, status: "accepted" },
  ]);
});

const texts = { en: { text: "Hi {{name}}: {{plan}}" }, de: { text: "Na {{name}}: {{plan}}" } };

test("Each is said what is known of them, sealed, in their own language; who has no value is skipped, and a preview says so before", async () => {
  const string = { type: "string", required: true, max_length: 20 };
  const template = { slug: "hi", channel: "sms", default_language: "en", languages: texts };
  await post("/templates", { ...template, variables: { name: string, plan: string } });
  const people = [
    { name: "Ada", language: "de-AT", attributes: { plan: 7 } },
    { name: " ", language: "fr", attributes: { plan: "gold" } },
    { name: "Cy" },
    { name: "x".repeat(21), attributes: { plan: "gold" } },
  ];
  const ids: string[] = [];
  for (const fields of people) {
    const external_ids = [{ source: "sms", id: phone() }];
    const made = await post("/contacts", { ...fields, tags: ["said-own"], external_ids });
    expect(made.status, made.text).toBe(201);
    ids.push(made.body.id);
  }
  await until(async () => (await get("/contacts?tag=said-own"))["data"].length === 4);
  const plan = { contact: "attributes.plan" };
  const name = { contact: "name", default: "friend" };
  const send = { audience: { tag: "said-own" }, channel: "sms", template: "hi", text: undefined };
  const wrong = { ...send, variables: { name, plan: { ...plan, default: "x".repeat(21) } } };
  const { status, body: refusal } = await post("/broadcasts", wrong);
  expect([status, refusal.errors?.[0].path]).toEqual([422, "variables.plan"]);
  const id = await draft({ ...send, language: { contact: "language" }, variables: { name, plan } });
  const { body: preview } = await post(`/broadcasts/${id}/preview`);
  const skipped = { value_missing: 1, value_invalid: 1 };
  const languages = { de: 1, en: 1 };
  const found = { audience: 4, looked_at: 4, to_send: 2, segments: 2, languages };
  expect(preview).toMatchObject({ ...found, skipped, lacking: { plan: 1 } });
  expect([Number(preview.cost) > 0, preview.estimated_cost]).toEqual([true, preview.cost]);
  // Had two thousand been there and these four the first.
  expect(costOfAll(3n, 2_000, 4)).toBe(1_500n);
  await post(`/broadcasts/${id}/start`);
  await shows(id, { status: "done", counts: { accepted: 2, sent: 2, failed: 0, skipped: 2 } });
  const rows = await recipients(id);
  const told = rows.map(({ contact_id: at, reason }) => [ids.indexOf(at), reason]);
  expect(told).toEqual([
    [0, null],
    [1, null],
    [2, "value_missing"],
    [3, "value_invalid"],
  ]);
  const { log, vault } = world.platform.contexts.sandbox;
  const said: (string | undefined)[] = [];
  for (const { message_id } of rows.slice(0, 2)) {
    const [event] = await log.readStream(streamOf("message", message_id), { limit: 1 });
    const { data } = event as RecordedEvent<"MessageRequested">;
    expect(JSON.stringify(data)).not.toMatch(/Ada|friend|\+1555300/);
    said.push((await vault.open(world.partners[0]!.id, data))(data).content.text);
  }
  expect(said).toEqual(["Na Ada: 7", "Hi friend: gold"]);
});

const manyAttributes = Object.fromEntries(Array.from({ length: 11 }, (_, at) => [`a${at}`, at]));

test("One with a time starts by itself, and what nobody could be sent is refused when it is drafted; a template that is deleted after that pauses it", async () => {
  await contacts("later", phones(2));
  const at = new Date(Date.now() + 3_600_000).toISOString();
  const id = await draft({ audience: { tag: "later" }, send_at: at });
  await post("/sandbox/clock/advance", { seconds: 3_700 });
  await shows(id, { status: "done", counts: { accepted: 2, sent: 2 } });
  // Also what is the same for all is for a person: it can be erased while it waits.
  const [{ message_id: sent } = {}] = await recipients(id);
  const { log } = world.platform.contexts.sandbox;
  const [event] = await log.readStream(streamOf("message", sent), { limit: 1 });
  expect(JSON.stringify(event!.data)).not.toMatch(/Hello|\+1555300/);
  for (const [body, code] of [
    [{ template: "none", text: undefined }, "template_not_found"],
    [{ subject: "An SMS has none" }, "invalid_request"],
    [{ send_at: "2020-01-01T00:00:00Z" }, "invalid_request"],
    [{ audience: { contact_ids: ["cnt_1"] } }, "invalid_request"],
    [{ audience: { attribute: manyAttributes } }, "invalid_request"],
  ] as const) {
    const refused = await post("/broadcasts", { audience: {}, channel: "sms", text: "x", ...body });
    expect([refused.status, refused.body.code], JSON.stringify(body)).toEqual([422, code]);
  }
  const [bye, languages] = [{ channel: "sms", template: "bye" }, { en: { text: "Bye" } }];
  const make = () => post("/templates", { slug: "bye", channel: "sms", languages });
  await make();
  const left = await draft({ ...bye, audience: { tag: "later" }, text: undefined });
  await world.call("DELETE", "/api/v1/templates/bye", { key: keyOf(0) });
  await until(async () => (await post("/broadcasts", { ...bye, audience: {} })).status === 422);
  await post(`/broadcasts/${left}/start`);
  await shows(left, { status: "paused", paused_for: { code: "template_not_found" } });
  await make();
  await post(`/broadcasts/${left}/resume`);
  await shows(left, { status: "done", counts: { accepted: 2, skipped: 0 } });
});

const rowsOf = (partner: string, rows: { count: number; status: string; bytes: number }) =>
  pool().query(
    `insert into broadcasts.broadcasts (id, partner, position, status, created)
      select 'brc_' || $1::text || n, case $1 when '00' then 'nobody' || n else $1 end, n, $2, json_build_object('broadcast_id', 'brc_' || $1 || n, 'created_at', '2026-01-01T00:00:00.000Z',
        'audience', '{}'::json, 'send', json_build_object('channel', 'email', 'html', repeat('x', $4)))
      from generate_series(1, $3::int) as n`,
    [partner, rows.status, rows.count, rows.bytes],
  );

test("A list of large drafts comes in pages of a few megabytes, and forgets none", async () => {
  const { id: partner, key } = await world.addPartner();
  await rowsOf(partner, { count: 24, status: "done", bytes: 200_000 });
  const pages: number[][] = [];
  const list = "/broadcasts?limit=24";
  let back = list;
  for (let path: string | undefined = list; path !== undefined;) {
    const page = await get(path, key);
    expect(JSON.stringify(page).length).toBeLessThan(5_000_000);
    pages.push(page["data"].map(({ id }: Body) => Number(id.replace(`brc_${partner}`, ""))));
    path = page["next_cursor"] === null ? undefined : `${list}&after=${page["next_cursor"]}`;
    back = `${list}&before=${page["prev_cursor"]}`;
  }
  expect(pages.length).toBeGreaterThan(1);
  expect(pages.flat()).toEqual(Array.from({ length: 24 }, (_, at) => 24 - at));
  const nearest = (await get(back, key))["data"].map(({ id }: Body) => id);
  expect(nearest.at(-1)).toBe(`brc_${partner}${pages.at(-1)![0]! + 1}`);
});

test("However many wait that can do nothing, the others have their turns", async () => {
  await contacts("late", phones(2));
  await rowsOf("00", { count: 1_000, status: "running", bytes: 1 });
  const id = await started({ audience: { tag: "late" } });
  expect(await shows(id, { status: "done" })).toMatchObject({ counts: { sent: 2 } });
  await pool().query("delete from broadcasts.broadcasts where partner like 'nobody%'");
});

test("Killed between the choice of senders and their messages, and with a page that nobody counted, it goes on without sending to anybody twice or choosing again", async () => {
  const rows = phones(210);
  await contacts("killed", rows);
  await fanOut.stop();
  const context = world.platform.contexts.sandbox;
  const senders = ["+15550100001", "+15550100002", "+15550100003"];
  const made = await post("/sender-pools", { name: "killed", channel: "sms", senders });
  expect(made.status, made.text).toBe(201);
  const said = { audience: { tag: "killed" }, text: "Killed", sender_pool: made.body.id };
  const id = await started(said);
  const child = new URL("./broadcasts-child.ts", import.meta.url).pathname;
  const killed = spawnService(child, {
    HELIOGRAPH_DATABASE_URL: world.databaseUrl,
    HELIOGRAPH_MASTER_KEY: masterKey,
    HELIOGRAPH_FAILPOINT: "ingress.before_append:kill@2",
  });
  const { signal } = await killed.exited;
  expect(signal, killed.output()).toBe("SIGKILL");
  const partner = world.partners[0]!.id;
  const { audience, accepted } = (await get(`/broadcasts/${id}`))["counts"];
  const sent = Object.keys(await messagesTo(partner, "Killed")).length;
  expect([audience, accepted, sent]).toEqual([210, 100, 100]);
  expect(await chosenOf(context, made.body.id)).toHaveLength(200);
  // As a kill leaves it that comes before the count of what was sent, which is one commit.
  const of = "where broadcast_id = $1 and state = 'accepted' and number <= 50";
  await pool().query(`update broadcasts.recipients set state = 'pending' ${of}`, [id]);
  await pool().query("update broadcasts.broadcasts set accepted = 50 where id = $1", [id]);
  fanOut = await runFanOut();
  const counts = { audience: 210, accepted: 210, sent: 210, failed: 0, skipped: 0 };
  await shows(id, { status: "done", counts });
  expect(await messagesTo(partner, "Killed")).toEqual(once(rows));
  const all = await chosenOf(context, made.body.id);
  expect([all.length, new Set(all.map(({ stream }) => stream)).size]).toEqual([210, 210]);
  const given = (await requestsWith(context, partner, "Killed")).map(({ from }) => from ?? "");
  expect(given.toSorted()).toEqual(all.map(({ data }) => data.sender).toSorted());
  expect([...new Set(given)].toSorted()).toEqual(senders);
});
