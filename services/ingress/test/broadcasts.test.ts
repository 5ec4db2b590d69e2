import { service as contactsService } from "@heliograph/contacts";
import { streamOf, uuid7 } from "@heliograph/contracts";
import { service as dispatch } from "@heliograph/dispatch";
import { service as sandbox } from "@heliograph/sandbox";
import { service as suppressions } from "@heliograph/suppressions";
import { type Consumer, runConsumer } from "@heliograph/runtime";
import { spawnService, until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { service as wallet } from "@heliograph/wallet";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { broadcastsReactor } from "../src/broadcasts/reactor.ts";
import { messageIdOf } from "../src/broadcasts/sends.ts";
import { service } from "../src/service.ts";

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
    services: [service, sandbox, ...others],
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
    const all = await get(`/contacts?tag=${tag}&limit=100`, key);
    return all["data"].length === Math.min(rows.length, 100) ? all["data"] : undefined;
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
      expect(found).toMatchObject(what);
      return found;
    },
    { timeoutMs: 30_000, what: `it is ${JSON.stringify(what)}` },
  );
const recipients = async (id: string, query = ""): Promise<Body[]> =>
  (await get(`/broadcasts/${id}/recipients?limit=100${query}`))["data"];
/** How many messages there are for each of these contacts' addresses. */
async function messagesTo(partner: string, text: string): Promise<Record<string, number>> {
  const { rows } = await world.platform.contexts.sandbox.pool.query(
    `select data::jsonb ->> 'to' as to, count(*)::int as times from log.events where type = 'MessageRequested'
      and metadata::jsonb ->> 'partner' = $1 and data::jsonb -> 'content' ->> 'text' = $2 group by 1`,
    [partner, text],
  );
  return Object.fromEntries(rows.map(({ to, times }) => [to, times]));
}

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
});

test("One that is paused sends nothing until it is resumed, and nothing after it was canceled", async () => {
  const slow = phones(40);
  await contacts("slow", slow);
  const id = await started({ audience: { tag: "slow" }, text: "Slow", per_second: 4 });
  const accepted = async (): Promise<number> => (await get(`/broadcasts/${id}`))["counts"].accepted;
  await until(async () => (await accepted()) > 0);
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
  expect(await turn()).toBe(before);
  expect((await post(`/broadcasts/${id}/start`)).status).toBe(409);
  expect((await post(`/broadcasts/${id}/resume`)).body.status).toBe("running");
  await until(async () => (await accepted()) > before);
  expect((await post(`/broadcasts/${id}/cancel`)).body.status).toBe("canceled");
  const last = await turn();
  expect(await turn()).toBe(last);
  expect(last).toBeLessThan(slow.length);
  expect(Object.keys(await messagesTo(world.partners[0]!.id, "Slow")).length).toBe(last);
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
  await world.platform.contexts.sandbox.log.append([
    {
      stream: streamOf("message", of(0)),
      expected: "any",
      events: [
        {
          id: uuid7(),
          type: "MessageRejected",
          data: {
            message_id: of(0),
            message: { channel: "sms", to: "+15550000000" },
            error: { code: "insufficient_funds", class: "account", permanent: true },
          },
          metadata: { partner },
        },
      ],
    },
  ]);
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
  const [third, second, first] = await contacts("changing", phones(3));
  const [into] = await contacts("survivor", phones(1));
  const id = await started({ audience: { tag: "changing" }, text: "Changed", per_second: 1 });
  await until(async () => (await get(`/broadcasts/${id}`))["counts"].accepted > 0);
  await post(`/broadcasts/${id}/pause`);
  const left = (await recipients(id, "&status=pending")).map((each) => each["contact_id"]);
  const [merged, erased] = left as [string, string];
  expect(new Set([third, second, first])).toEqual(
    new Set([
      ...left,
      ...(await recipients(id, "&status=accepted")).map((each) => each["contact_id"]),
    ]),
  );
  await post(`/contacts/${merged}/merge`, { into });
  await world.call("DELETE", `/api/v1/contacts/${erased}`, { key: keyOf(0) });
  await until(
    async () =>
      (await world.call("GET", `/api/v1/contacts/${erased}`, { key: keyOf(0) })).status === 410,
  );
  const at = (await post(`/broadcasts/${id}/resume`)).status;
  expect(at).toBe(200);
  await shows(id, { status: "done", counts: { audience: 4, accepted: 2, sent: 2, skipped: 2 } });
  expect(await recipients(id)).toMatchObject([
    { status: "accepted" },
    { contact_id: merged, reason: "contact_merged" },
    { contact_id: erased, reason: "contact_erased" },
    { contact_id: into, status: "accepted" },
  ]);
});

test("One with a time starts by itself, and what nobody could be sent is refused when it is drafted", async () => {
  await contacts("later", phones(2));
  const at = new Date(Date.now() + 3_600_000).toISOString();
  const id = await draft({ audience: { tag: "later" }, send_at: at });
  await post("/sandbox/clock/advance", { seconds: 3_700 });
  await shows(id, { status: "done", counts: { accepted: 2, sent: 2 } });
  for (const [body, code] of [
    [{ template: "none", text: undefined }, "template_not_found"],
    [{ subject: "An SMS has none" }, "invalid_request"],
    [{ send_at: "2020-01-01T00:00:00Z" }, "invalid_request"],
    [{ audience: { contact_ids: ["cnt_1"] } }, "invalid_request"],
  ] as const) {
    const refused = await post("/broadcasts", { audience: {}, channel: "sms", text: "x", ...body });
    expect([refused.status, refused.body.code], JSON.stringify(body)).toEqual([422, code]);
  }
});

test("Killed between a page and its count, it goes on without sending to anybody twice", async () => {
  const rows = phones(210);
  await contacts("killed", rows);
  await fanOut.stop();
  const id = await started({ audience: { tag: "killed" }, text: "Killed" });
  const child = new URL("./broadcasts-child.ts", import.meta.url).pathname;
  const killed = spawnService(child, {
    HELIOGRAPH_DATABASE_URL: world.databaseUrl,
    HELIOGRAPH_MASTER_KEY: masterKey,
    HELIOGRAPH_FAILPOINT: "broadcasts.sent:kill@2",
  });
  const { signal } = await killed.exited;
  expect(signal, killed.output()).toBe("SIGKILL");
  const partner = world.partners[0]!.id;
  expect(Object.keys(await messagesTo(partner, "Killed")).length).toBe(200);
  expect((await get(`/broadcasts/${id}`))["counts"]).toMatchObject({
    audience: 210,
    accepted: 100,
  });
  fanOut = await runFanOut();
  const counts = { audience: 210, accepted: 210, sent: 210, failed: 0, skipped: 0 };
  await shows(id, { status: "done", counts });
  expect(await messagesTo(partner, "Killed")).toEqual(once(rows));
});
