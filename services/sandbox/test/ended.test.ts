import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { newId, outlivesSpaces, streamOf, uuid7 } from "@heliograph/contracts";
import { recordReceipts } from "@heliograph/gateways";
import { services } from "@heliograph/ingress";
import { platformContext } from "@heliograph/platform";
import { rebuildProjector, startConsumers } from "@heliograph/runtime";
import { noteStatements, spawnService, until, webhookSink, wholeReads } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, it } from "vitest";
import { service as sandbox } from "../src/index.ts";
import { isSmall } from "./small-tables.ts";

/** Its consumers run where the test wants them to. */
const idle = { name: "sandbox", api: sandbox.api! };
const entry = fileURLToPath(new URL("../src/main.ts", import.meta.url));
let world: World;
let sink: Awaited<ReturnType<typeof webhookSink>>;
let dataDir: string;
const noted = noteStatements("_sandbox");
let used: readonly string[] = [];
const ends: (() => Promise<void>)[] = [];
beforeAll(async () => {
  sink = await webhookSink();
  dataDir = await mkdtemp(join(tmpdir(), "heliograph-"));
  world = await openWorld({
    services: services.map((each) => (each.name === "sandbox" ? idle : each)),
    consumers: "run",
    partners: [{}, {}],
    env: {
      HELIOGRAPH_DATA_DIR: dataDir,
      HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8",
      HELIOGRAPH_RETRY_SCALE: "0.01",
    },
  });
}, 60_000);
afterAll(async () => {
  noted.stop();
  for (const end of ends) await end();
  await world.close();
  await sink.close();
  await rm(dataDir, { recursive: true, force: true });
});

const context = () => world.platform.contexts.sandbox;
const caller = (partner: number) => {
  const { key } = world.partners[partner]!;
  const call = (method: "POST" | "PUT", path: string, body: object, headers = {}) =>
    world.call(method, `/api/v1${path}`, { key, body, headers });
  return {
    key,
    put: (path: string, body: object) => call("PUT", path, body),
    post: (path: string, body: object = {}, headers: Record<string, string> = {}) =>
      call("POST", path, body, headers),
    get: async (path: string) => (await world.call("GET", `/api/v1${path}`, { key })).body,
    upload: (path: string, type: string, raw: string) =>
      world.call("POST", `/api/v1${path}`, { key, raw, headers: { "content-type": type } }),
  };
};

/** A bit of everything that leaves rows. Gives what it can be found by. */
async function use(partner: number): Promise<{ needles: string[]; sent: string; quiet: string }> {
  const { post, get, put, upload } = caller(partner);
  const canary = `canary-${uuid7()}`;
  const agent = { name: "Ada", email: `${uuid7()}@example.org`, role: "agent" };
  const password = "correct horse battery";
  const ada = (await post("/agents", { ...agent, password })).body.id;
  const login = { email: agent.email, password, environment: "sandbox" };
  const device = { name: "phone", platform: "android" };
  const session = await world.call("POST", "/api/v1/mobile/sessions", {
    body: { ...login, device },
  });
  const phone = { fcm_token: uuid7(), platform: "android" };
  const token = session.body.access_token;
  await world.call("POST", "/api/v1/mobile/devices", { key: token, body: phone });
  await put(`/agents/${ada}/presence`, { status: "online" });
  await post("/teams", { name: "Front", agent_ids: [ada], routing: "least_busy" });
  await post("/wallet/topups", { amount: "10" });
  await post("/wallet/topups", { amount: "10", currency: "EUR" });
  const sms = { channel: "sms", text: canary, tags: [canary], client_ref: canary };
  const sent = (await post("/messages", { ...sms, to: "+15550110001" })).body.id;
  const quiet = (await post("/messages", { ...sms, to: "+15550100002" })).body.id;
  const send_at = new Date(Date.now() + 3_600_000).toISOString();
  const later = (await post("/messages", { ...sms, to: "+15550110001", send_at })).body.id;
  await until(async () => (await get(`/messages/${sent}`)).status === "delivered");
  await until(async () => (await get(`/messages/${quiet}`)).status === "sent");
  const ids = [{ source: "crm", id: canary }];
  const made = { name: canary, external_ids: ids };
  const contact = (await post("/contacts", made, { "idempotency-key": canary })).body.id;
  await post("/suppressions", { channel: "sms", to: "+15550199999" });
  await post("/sandbox/inbound", { channel: "sms", from: "+15550138001", text: canary });
  const {
    id: conversation,
    contact: { id: writer },
  } = await until(async () => (await get("/conversations")).data[0]);
  const assigned = await post(`/conversations/${conversation}/assign`, { agent_id: ada });
  expect(assigned.status).toBe(200);
  await post(`/conversations/${conversation}/snooze`, { until: send_at });
  const csv = `name,phone\n${canary},x\n`;
  const imported = (await upload("/contact-imports", "text/csv", csv)).body.id;
  await until(async () => (await get(`/contact-imports/${imported}`)).finished_at);
  await upload("/attachments", "text/plain", canary);
  // Usage waits for company: what was delivered is counted a moment later.
  await until(async () => (await get("/usage")).data[0]?.delivered > 0);
  await until(async () => (await get("/suppressions")).data[0]);
  await until(async () => (await get("/contacts")).data.length === 2);
  return {
    needles: [canary, sent, quiet, later, contact, writer, conversation, imported],
    sent,
    quiet,
  };
}

/** Tables in which one of these stands, in whatever column. What stays by contract: the log, the audit of calls, and the marks of keys that are no more. */
const kept = ["log.events", "control.audit", "vault.keys"];
async function tablesWith(needles: readonly string[]): Promise<readonly string[]> {
  const { rows } = await context().pool.query<{ name: string }>(
    `select table_schema || '.' || table_name as name from information_schema.tables
      where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema') order by 1`,
  );
  const found: string[] = [];
  for (const { name } of rows.filter((each) => !kept.includes(each.name))) {
    const { rowCount } = await context().pool.query(
      `select from ${name} t where t::text like any($1) limit 1`,
      [needles.map((needle) => `%${needle}%`)],
    );
    if (rowCount !== 0) found.push(name);
  }
  return found;
}
/** Rows of files go with their bytes, by the sweeps of mobile. */
const swept = "mobile_attachments.attachments";
const nothingWith = (needles: readonly string[], but: (table: string) => boolean = () => false) =>
  until(async () => {
    const found = (await tablesWith(needles)).filter((name) => name !== swept && !but(name));
    if (found.length > 0) throw new Error(`still in ${found.join()}`);
    return true;
  });

const keysOf = async (space: string) =>
  (
    await context().pool.query<{ subject: string; there: boolean }>(
      "select subject, wrapped is not null as there from vault.keys where partner = $1",
      [space],
    )
  ).rows;
const endsOf = (space: string) => context().log.readStream(streamOf("sandbox", space));

/** The service in a process of its own, killed there. */
async function killedAt(failpoint: string): Promise<void> {
  const child = spawnService(entry, {
    HELIOGRAPH_DATABASE_URL: world.databaseUrl,
    HELIOGRAPH_MASTER_KEY: world.platform.masterKey.toString("hex"),
    HELIOGRAPH_FAILPOINT: `${failpoint}:kill`,
  });
  const { signal } = await child.exited;
  if (signal !== "SIGKILL") throw new Error(`${failpoint} was not passed:\n${child.output()}`);
}
async function run(): Promise<void> {
  const own = sandbox.consumers!(context());
  const platform = platformContext(world.platform);
  const running = [
    await startConsumers(context(), own),
    await startConsumers(platform, sandbox.platformConsumers!(platform)),
  ];
  ends.push(async () => void (await Promise.all(running.map((each) => each.stop()))));
}
async function verify(): Promise<void> {
  const signal = AbortSignal.timeout(30_000);
  for (const each of services.flatMap(({ consumers }) => consumers?.(context()) ?? [])) {
    if (each.kind !== "projector") continue;
    const rebuilt = await rebuildProjector(context(), each, { verifyOnly: true, signal });
    expect(rebuilt, each.name).toMatchObject({ equal: true });
  }
}
const deadLetters = async () =>
  (await context().pool.query("select consumer, reason from runtime.dead_letters")).rows;

it("A reset leaves no row, key or answer of the space before, whoever is killed meanwhile, and nothing else goes", async () => {
  const { id } = world.partners[0]!;
  const { post, get } = caller(0);
  const other = caller(1);
  const endpoint = (await post("/webhook-endpoints", { url: `${sink.url}/hook` })).body.id;
  const { needles, sent, quiet } = await use(0);
  const others = await use(1);
  used = [...noted.texts];
  noted.stop();
  const shown = () =>
    Promise.all(
      ["/messages", "/contacts", "/conversations", "/usage", "/balance"].map(async (path) => {
        const { as_of_position: _, ...body } = await other.get(path);
        return body;
      }),
    );
  const theirs = await shown();
  const theirKeys = await keysOf(world.partners[1]!.id);
  const deliveries = `/webhook-endpoints/${endpoint}/deliveries`;
  const delivered = await until(async () => (await get(deliveries)).data);
  for (const each of delivered) needles.push(each.id);
  // All that is looked at has been filled.
  const filled = [
    "assignment.facts",
    "contact_activity.activity",
    "contact_imports.imports",
    "contact_imports.errors",
    "contacts.contacts",
    "conversations.conversations",
    "conversations.messages",
    "dispatch.timers",
    "ingress.idempotency",
    "lifecycle.events",
    "messages.messages",
    "mobile.messages",
    "mobile_push.holders",
    "threads.snoozes",
    "usage.names",
    "wallet.holds",
    "webhooks.deliveries",
  ];
  await until(async () => {
    const found = await tablesWith(needles);
    const missing = filled.filter((name) => !found.includes(name));
    if (missing.length > 0) throw new Error(`nothing in ${missing.join()}`);
    return true;
  });
  // What has been called is named by an intent for a moment only.
  const theirTables = (await tablesWith(others.needles)).filter((n) => n !== "dispatch.intents");
  // So many that they are destroyed in several parts.
  await context().pool.query(
    `insert into vault.keys (id, partner, subject, owners, wrapped)
      select gen_random_uuid(), $1, 'cnt_' || n, '{}', '' from generate_series(1, 1200) n`,
    [id],
  );

  expect((await post("/sandbox/reset")).status).toBe(202);
  const after = (await post("/messages", { channel: "sms", to: "+15550110001", text: "New" })).body;
  await killedAt("sandbox.before_ended");
  expect(await endsOf(id)).toEqual([]);
  await killedAt("sandbox.after_ended");
  expect(await endsOf(id)).toMatchObject([{ type: "SpaceEnded", data: { space: id } }]);
  await killedAt("sandbox.keys_destroyed");
  const left = (await keysOf(id)).filter(({ there }) => there).length;
  expect(left).toBeGreaterThan(500);
  await run();
  await until(async () => (await keysOf(id)).filter(({ there }) => there).length === 1);
  expect((await keysOf(id)).filter(({ there }) => there)).toMatchObject([
    { subject: expect.stringMatching(/^dev_/) },
  ]);
  await nothingWith(needles);
  expect(await endsOf(id)).toHaveLength(1);
  const { rows: files } = await context().pool.query(
    "select distinct status from mobile_attachments.attachments where partner = $1",
    [id],
  );
  expect(files).toEqual([{ status: "removed" }]);

  // The account's, another's, and the new space's are there.
  for (const path of ["/webhook-endpoints", "/agents", "/teams", "/keys"])
    expect((await get(path)).data, path).not.toEqual([]);
  await until(async () => (await get(`/messages/${after.id}`)).status === "delivered");
  expect(await shown()).toEqual(theirs);
  expect(await keysOf(world.partners[1]!.id)).toEqual(theirKeys);
  expect(await tablesWith(others.needles)).toEqual(expect.arrayContaining([...theirTables]));

  // What is late does nothing.
  const { log } = context();
  const events = await log.readStream(streamOf("message", quiet));
  const receipt = { gateway: "sim-sms", provider_message_id: "p-1", provider_event_id: "e-1" };
  const occurred_at = new Date().toISOString();
  for (const message_id of [quiet, sent, newId("msg")])
    await recordReceipts(log, [
      {
        receipt: { ...receipt, message_id, status: "delivered", occurred_at } as never,
        partner: id,
        causation: uuid7(),
      },
    ]);
  const { type, data, metadata } = events[0]!;
  const late = { id: uuid7(), type, data: { ...data, text: "late" }, metadata } as never;
  await log.append([
    { stream: streamOf("message", newId("msg")), expected: "any", events: [late] },
  ]);
  const next = (await post("/messages", { channel: "sms", to: "+15550110001", text: "New" })).body;
  await until(async () => (await get(`/messages/${next.id}`)).status === "delivered");
  expect(await log.readStream(streamOf("message", quiet))).toHaveLength(events.length);
  await nothingWith(needles);
  await verify();

  // Another reset of what was used, and one of an empty space.
  await use(0);
  for (const n of [1, 2]) {
    expect((await post("/sandbox/reset")).status).toBe(202);
    await until(async () => (await endsOf(`${id}~${n}`)).length === 1);
  }
  // Who keeps the name of a space that ended, keeps it to pass over what comes late.
  for (const n of [1, 2])
    await nothingWith([`${id}~${n}`], (table) => table.endsWith(".ended_spaces"));
  await until(async () => (await keysOf(`${id}~1`)).every(({ there }) => !there));
  await verify();
  expect(await deadLetters()).toEqual([]);
}, 90_000);

it("No statement of a day's work reads a table from end to end that grows with what is stored", async () => {
  const own = used.filter((text) => !/information_schema|pg_stat/.test(text));
  expect(own.length).toBeGreaterThan(300);
  const read = await wholeReads(context().pool, own);
  expect(read.filter(({ tables }) => !tables.every(isSmall))).toEqual([]);
});

it("What is the account's outlives the space in which it was written, and nothing else does", () => {
  for (const category of [
    "template",
    "endpoint",
    "team",
    "presence",
    "session",
    "sandbox",
  ] as const)
    expect(outlivesSpaces(streamOf(category, "X")), category).toBe(true);
  for (const category of ["message", "wallet", "contact", "thread", "feed", "suppression"] as const)
    expect(outlivesSpaces(streamOf(category, "X")), category).toBe(false);
});
