import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, sep } from "node:path";
import { apiClient, testKafka, until, webhookSink, type Instance } from "@heliograph/testkit";
import { eventStoreDouble, realEventStore } from "@heliograph/testkit/eventstore";
import { Kafka, logLevel } from "kafkajs";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { openSetting } from "./setting.ts";

/** Where the log is, and what else has copies of it. */
type Engine = {
  readonly env: Readonly<Record<string, string>>;
  /** All that lies outside of the instance's databases and data folder, as text. */
  outside(): Promise<string>;
};
type Skipped = { readonly skip: string };

const engines: Readonly<Record<string, () => Promise<Engine | Skipped>>> = {
  "PostgreSQL, with Kafka topics and Kafka as the feed where there is Kafka": async () => {
    const kafka = await testKafka();
    if (kafka.skip !== undefined) return { env: {}, outside: async () => "" };
    const env = { HELIOGRAPH_KAFKA_BROKERS: kafka.brokers.join(), HELIOGRAPH_FEED: "kafka" };
    return { env, outside: () => everyRecord(kafka.brokers) };
  },
  "a double of EventStoreDB": async () => {
    const double = await eventStoreDouble();
    onTestFinished(() => double.close());
    const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");
    return {
      env: eventStoreEnv(double.connectionString),
      outside: async () =>
        double.records
          .map(({ stream, data, metadata }) => `${stream} ${text(data)} ${text(metadata)}`)
          .join("\n"),
    };
  },
  EventStoreDB: async () => {
    const real = await realEventStore();
    if (real.skip !== undefined) return real;
    onTestFinished(real.stop);
    return { env: eventStoreEnv(real.connectionString), outside: async () => "" };
  },
};
const eventStoreEnv = (url: string) => ({
  HELIOGRAPH_LOG: "eventstoredb",
  HELIOGRAPH_EVENTSTORE_URL: url,
});

const png = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
const mark = randomBytes(4).toString("hex");
/** A text for each place that a person's data get into, which tells where one was left. */
const canary = (place: string): string => `Quokka${mark}${place}`;
let numbers = 0;
const newPhone = (): string =>
  `+1555${String(parseInt(mark.slice(0, 4), 16) % 10_000).padStart(4, "0")}${100 + ++numbers}`;

test.each(Object.keys(engines))(
  "somebody writes, is answered and is forgotten, and nothing of them is left in either environment: %s",
  async (name) => {
    const engine = await engines[name]!();
    if ("skip" in engine) return void process.stderr.write(`${name} skipped: ${engine.skip}\n`);
    const setting = await openSetting({
      HELIOGRAPH_RETRY_SCALE: "0.02",
      HELIOGRAPH_ENCRYPT_MESSAGES: "on",
      HELIOGRAPH_LOG_GATEWAY_CHANNELS: "sms,email",
      ...engine.env,
    });
    const { instance, dataDir } = setting;
    const contacts: string[] = [];
    const sink = await webhookSink();
    onTestFinished(() => sink.close());
    for (const [environment, key] of [
      ["sandbox", instance.sandboxKey],
      ["live", instance.liveKey],
    ] as const) {
      const caller = callsOf(instance.baseUrl, key);
      const person = await somebody(caller, environment, [sink.url, "http://127.0.0.1:9/"]);
      if (environment === "sandbox") await converse(caller, instance, person);
      await blunder(instance, key, person);
      // What is looked through has had it, and is what there is.
      expect(await tablesWith(instance.databaseUrl, [mark])).not.toEqual([]);
      await nowhereForOperators(instance, [mark, person.phone.slice(1)]);
      await forget(caller, person);
      contacts.push(person.contact);
    }
    const canaries = [mark, ...phones];
    await until(
      async () => {
        const inside = [
          ...(await tablesWith(instance.databaseUrl, canaries)),
          ...(await filesWith(dataDir, canaries)),
          ...linesWith("the process's log", instance.output(), canaries),
        ];
        // To read all of a broker costs as much as the rest: only when the rest is clean.
        const outside = inside.length > 0 ? "" : await engine.outside();
        const found = [...inside, ...linesWith("copies of the log", outside, canaries)];
        if (found.length > 0) throw new Error(found.slice(0, 5).join("\n"));
        return true;
      },
      { timeoutMs: 30_000, what: "nothing is left" },
    );
    const outside = await engine.outside();
    if (outside !== "") for (const contact of contacts) expect(outside).toContain(contact.slice(4));
    expect(sink.requests.some(({ body }) => body.includes(mark))).toBe(true);
  },
  180_000,
);

const phones: string[] = [];
type Person = { readonly contact: string; readonly phone: string };
type Calls = ReturnType<typeof callsOf>;

function callsOf(baseUrl: string, key: string) {
  const api = apiClient(baseUrl, key);
  const raw = async (
    method: string,
    path: string,
    type: string,
    body: string | Uint8Array<ArrayBuffer>,
  ) => {
    const response = await fetch(`${baseUrl}/api/v1${path}`, {
      method,
      body,
      headers: { authorization: `Bearer ${key}`, "content-type": type },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  };
  const post = async (path: string, body: object, headers: Record<string, string> = {}) => {
    const answer = await api.post(path, body, headers);
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    return answer.body as Record<string, unknown>;
  };
  return { ...api, raw, post };
}

/** A contact with everything that one can have, told to receivers of whom one is away. */
async function somebody(
  { get, post, raw }: Calls,
  environment: string,
  urls: readonly string[],
): Promise<Person> {
  for (const url of urls) await post("/webhook-endpoints", { url });
  const phone = newPhone();
  phones.push(phone.slice(1));
  const email = `${canary("mail")}.${environment}@example.com`;
  const { id } = await post(
    "/contacts",
    {
      name: canary("name"),
      attributes: { plan: canary("attribute") },
      tags: [canary("tag").toLowerCase()],
      external_ids: [{ source: "sms", id: phone }],
    },
    { "idempotency-key": `made-${environment}` },
  );
  const contact = id as string;
  await post(`/contacts/${contact}/external-ids`, { source: "email", id: email });
  await post(`/contacts/${contact}/consents`, {
    channel: "sms",
    purpose: "news",
    status: "granted",
    evidence: canary("evidence"),
  });
  await get(`/contacts/by-external-id/email/${encodeURIComponent(email)}`);
  await get(`/contacts?q=${canary("name")}`);
  const file = Buffer.concat([png, Buffer.from(canary("file"))]);
  const name = `${canary("filename")}.png`;
  await raw(
    "POST",
    `/attachments?name=${name}&contact_id=${contact}`,
    "image/png",
    new Uint8Array(file),
  );
  const csv = `name,phone\n${canary("imported")},${phone}\n${canary("bad")},${canary("badphone")}\n`;
  const { id: importId } = await raw("POST", "/contact-imports", "text/csv", csv);
  const imported = await until(async () => {
    const { body } = await get(`/contact-imports/${importId as string}`);
    if (body.finished_at === null) throw new Error(JSON.stringify(body));
    return body;
  });
  expect(imported).toMatchObject({ status: "done", updated: 1, failed: 1 });
  expect((await get(`/contact-imports/${importId as string}/errors`)).text).not.toContain(mark);
  // What was imported reaches the list of contacts a moment later.
  await until(
    async () => (await get("/contacts/export?format=csv")).text.includes(canary("imported")),
    { what: "the imported name in the export" },
  );
  const { id: message } = await post("/messages", {
    channel: "sms",
    to: phone,
    text: canary("sent"),
  });
  await until(
    async () => (await get(`/messages/${message as string}`)).body.status === "delivered",
  );
  return { contact, phone };
}

/** In the sandbox people write: an agent with a phone answers, notes down, and is told of the next message. */
async function converse(
  { get, post }: Calls,
  { baseUrl, agent }: { readonly baseUrl: string; readonly agent: object },
  { contact, phone: from }: Person,
): Promise<void> {
  const inbound = { channel: "sms", from, text: canary("text"), profile_name: canary("profile") };
  await post("/sandbox/inbound", inbound);
  const conversation = await until(async () => {
    const { data } = (await get("/conversations")).body as {
      data: { id: string; contact: { id: string } }[];
    };
    return data.find((each) => each.contact.id === contact);
  });
  const device = { name: "phone", platform: "ios" };
  const { access_token } = await post("/mobile/sessions", {
    ...agent,
    environment: "sandbox",
    device,
  });
  const phone = callsOf(baseUrl, access_token as string);
  await phone.post("/mobile/devices", { fcm_token: canary("token"), platform: "android" });
  const path = `/conversations/${conversation.id}`;
  const reply = await phone.post(`${path}/messages`, { text: canary("reply") });
  await phone.post(`${path}/notes`, { text: canary("note") });
  await until(
    async () => (await get(`/messages/${reply["id"] as string}`)).body.status === "delivered",
  );
  await post("/sandbox/inbound", { ...inbound, text: canary("again") });
  await until(async () => {
    const { data } = (await phone.get("/mobile/pushes")).body as { data: { status: string }[] };
    return data.some(({ status }) => status === "sent");
  });
  await until(async () => (await phone.get("/mobile/sync?after=0")).text.includes(canary("again")));
  // A device goes with its agent and not with a person.
  const { data } = (await phone.get("/mobile/devices")).body as { data: { id: string }[] };
  for (const { id } of data) await phone.del(`/mobile/devices/${id}`);
}

const password = `pass${mark}word`;

/** What people do by mistake: personal data, a password and a key where none belongs, in calls that are refused. */
async function blunder(
  { baseUrl }: Pick<Instance, "baseUrl">,
  key: string,
  { phone }: Person,
): Promise<void> {
  const refused = async (method: string, path: string, by: string, body?: object) => {
    const answer = await fetch(`${baseUrl}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${by}`, "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
    expect(answer.status, `${method} ${path}`).toBeGreaterThanOrEqual(400);
    await answer.text();
  };
  const wrong = `${key.slice(0, -6)}${mark.slice(0, 6)}`;
  await refused("GET", "/balance", wrong);
  await refused("GET", "/balance", password);
  await refused("DELETE", `/keys/${encodeURIComponent(phone)}`, key);
  await refused("DELETE", `/keys/${canary("path")}@example.com`, key);
  await refused("GET", `/${canary("address")}/${encodeURIComponent(phone)}`, key);
  await refused(
    "GET",
    `/contacts/by-external-id/sms/${encodeURIComponent(phone)}?x=${canary("query")}`,
    wrong,
  );
  await refused("POST", "/messages", key, {
    channel: canary("channel"),
    to: phone,
    [canary("field")]: 1,
  });
  await refused("POST", "/agents", key, {
    email: canary("agent"),
    password,
    name: canary("agent"),
  });
}

/** What operators look at keeps nothing of a person, and of no secret, while everything else still has it: the audit, dead letters, metrics and the process's log. */
async function nowhereForOperators(
  { baseUrl, databaseUrl, output, liveKey, sandboxKey, adminKey }: Instance,
  texts: readonly string[],
): Promise<void> {
  const secrets = [liveKey, sandboxKey, adminKey].map((key) => key.slice(12));
  const all = [...texts, password, ...secrets];
  const refusals = await until(async () => {
    const { data } = (await apiClient(baseUrl, adminKey).get("/admin/audit?limit=100")).body as {
      data: { action: string; outcome: number }[];
    };
    return data.some(({ action, outcome }) => action === "POST /agents" && outcome === 422) && data;
  });
  expect(linesWith("the audit's list", JSON.stringify(refusals), all)).toEqual([]);
  const operators = / (control\.audit|runtime\.[a-z_]+): /;
  expect((await tablesWith(databaseUrl, all)).filter((row) => operators.test(row))).toEqual([]);
  expect(linesWith("metrics", await (await fetch(`${baseUrl}/metrics`)).text(), all)).toEqual([]);
  // What is no JSON is the greeting of `npm start`, with the demo's key.
  const lines = output()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .join("\n");
  expect(linesWith("the process's log", lines, all)).toEqual([]);
}

async function forget({ get, del }: Calls, { contact }: Person): Promise<void> {
  expect((await del(`/contacts/${contact}`)).status).toBe(202);
  await until(async () => (await get(`/contacts/${contact}/erasure`)).body.status === "completed");
}

/** The tables of all databases whose rows, as text, hold one of these; one connection and one statement for each database, for this is asked again and again. */
async function tablesWith(url: string, texts: readonly string[]): Promise<readonly string[]> {
  const names = await on(url, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      "select datname as name from pg_database where datallowconn and not datistemplate",
    );
    return rows.map(({ name }) => name);
  });
  const found: string[] = [];
  for (const database of names) {
    const rows = await on(
      Object.assign(new URL(url), { pathname: `/${database}` }).href,
      (client) => rowsWith(client, texts),
    );
    found.push(...rows.map(({ name, row }) => `${database} ${name}: ${row}`));
  }
  return found;
}

type FoundRow = { readonly name: string; readonly row: string };

/** One such row of each table that has any. */
async function rowsWith(client: pg.Client, texts: readonly string[]): Promise<readonly FoundRow[]> {
  const { rows: tables } = await client.query<{ name: string }>(
    "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')",
  );
  if (tables.length === 0) return [];
  const firstOfEach = tables.map(
    ({ name }) =>
      `(select ${pg.escapeLiteral(name)} as name, t::text as row from ${name} t where t::text like any ($1) limit 1)`,
  );
  const patterns = texts.map((text) => `%${text}%`);
  return (await client.query<FoundRow>(firstOfEach.join(" union all "), [patterns])).rows;
}

async function on<T>(
  connectionString: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Files of the data folder, but for the database's own, whose tables are looked through. */
async function filesWith(folder: string, texts: readonly string[]): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || path.startsWith(join(folder, "postgres") + sep)) continue;
    const bytes = await readFile(path);
    if (texts.some((text) => path.includes(text) || bytes.includes(text))) found.push(path);
  }
  return found;
}

const linesWith = (what: string, all: string, texts: readonly string[]): readonly string[] =>
  all
    .split("\n")
    .filter((line) => texts.some((text) => line.includes(text)))
    .map((line) => `${what}: ${line}`);

/** Every record of every topic, with its headers. */
async function everyRecord(brokers: readonly string[]): Promise<string> {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const topics = (await admin.listTopics()).filter((topic) => !topic.startsWith("__"));
  const left = new Map<string, number>();
  for (const topic of topics)
    for (const { partition, high, low } of await admin.fetchTopicOffsets(topic))
      if (high !== low) left.set(`${topic} ${partition}`, Number(high));
  await admin.disconnect();
  const consumer = kafka.consumer({ groupId: `forgotten-${randomBytes(4).toString("hex")}` });
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  const records: string[] = [];
  await consumer.run({
    eachBatch: async ({ batch: { topic, partition, messages } }) => {
      for (const { key, value, headers } of messages)
        records.push(`${topic} ${String(key)} ${String(value)} ${JSON.stringify(headers)}`);
      const last = Number(messages.at(-1)?.offset ?? -1);
      const place = `${topic} ${partition}`;
      // A transaction's end takes an offset too, which is no message.
      if (last + 2 >= (left.get(place) ?? 0)) left.delete(place);
    },
  });
  await until(() => left.size === 0, { timeoutMs: 20_000, what: "the topics are read" });
  await consumer.disconnect();
  return records.join("\n");
}
