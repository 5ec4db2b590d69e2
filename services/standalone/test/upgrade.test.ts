import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { apiClient, startInstance, testServer, until, type ApiClient } from "@heliograph/testkit";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { afterAllStop, clientsOf, ownDataDir, reached, send } from "./setting.ts";

/**
 * Three databases and the master key as release 0.1 (226f423) left them after 172 messages of every outcome, in plain SQL that any PostgreSQL takes. They are
 * never edited: a release that cannot start from them cannot be installed over that one.
 */
const fixture = new URL("./fixtures/installation-0.1/", import.meta.url).pathname;
const unpacked = (file: string): string => gunzipSync(readFileSync(join(fixture, file))).toString();

type Row = readonly [id: string, status: string, channel: string, to: string, cost: string];
type Facts = {
  readonly sandboxKey: string;
  readonly liveKey: string;
  readonly adminKey: string;
  readonly partner: {
    readonly id: string;
    readonly keys: { readonly live: string; readonly sandbox: string };
  };
  readonly reader: { readonly id: string; readonly key: string };
  readonly endpoint: { readonly id: string };
  readonly scheduled: string;
  readonly canceled: string;
  readonly template: { readonly id: string };
  readonly balance: Readonly<
    Record<"sandbox" | "live", { readonly available: string; readonly held: string }>
  >;
  readonly messages: Readonly<Record<"sandbox" | "live", readonly Row[]>>;
};
const facts = JSON.parse(unpacked("facts.json.gz")) as Facts;

let clients: ReturnType<typeof clientsOf>;
let of: (key: string) => ApiClient;
let drop: () => Promise<void>;

beforeAll(async () => {
  const server = await testServer();
  const prefix = `${server.namePrefix}old`;
  drop = server.dropAll;
  const admin = new pg.Client(server.baseConfig);
  await admin.connect();
  for (const name of ["live", "sandbox", "platform"]) {
    const database = `${prefix}_${name}`;
    await admin.query(
      `create database "${database}" template template0 encoding 'UTF8' locale 'C'`,
    );
    const client = new pg.Client({ ...server.baseConfig, database });
    await client.connect();
    await client.query(unpacked(`${name}.sql.gz`));
    await client.end();
  }
  await admin.end();
  const dataDir = ownDataDir();
  copyFileSync(join(fixture, "master.key"), join(dataDir, "master.key"));
  const url = new URL(server.baseUrl);
  url.pathname = `/${prefix}`;
  const instance = await startInstance({
    dataDir,
    env: {
      HELIOGRAPH_DATABASE_URL: url.href,
      HELIOGRAPH_DEMO: "on",
      HELIOGRAPH_LOG_GATEWAY_CHANNELS: "sms",
      HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8",
      HELIOGRAPH_RETRY_SCALE: "0.01",
    },
  });
  afterAllStop(instance);
  clients = clientsOf(instance);
  of = (key) => apiClient(instance.baseUrl, key);
}, 120_000);
afterAll(() => drop());

async function allMessages(client: ApiClient): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let after = ""; ;) {
    const { body } = await client.get(
      `/messages?limit=100${after && `&after=${encodeURIComponent(after)}`}`,
    );
    for (const item of body.data)
      rows.push([item.id, item.status, item.channel, item.to, item.cost]);
    if (body.next_cursor === null) return rows;
    after = body.next_cursor as string;
  }
}

test("its keys open what they opened, and the revoked one nothing", async () => {
  for (const key of [facts.sandboxKey, facts.liveKey, facts.partner.keys.live])
    expect((await of(key).get("/balance")).status).toBe(200);
  expect((await of(facts.adminKey).get("/admin/partners")).status).toBe(200);
  expect((await of(facts.reader.key).get("/messages")).status).toBe(200);
  const { body } = await clients.sandbox.get("/keys?limit=100");
  expect(
    body.data.map((key: { name: string; status: string }) => [key.name, key.status]),
  ).toContainEqual(["gone", "revoked"]);
});

test("every message is in the list and by its id as it was", async () => {
  for (const environment of ["sandbox", "live"] as const) {
    const client = of(environment === "live" ? facts.liveKey : facts.sandboxKey);
    expect(await allMessages(client)).toEqual(facts.messages[environment]);
    for (const [id, status] of facts.messages[environment].slice(-20)) {
      expect((await client.get(`/messages/${id}`)).body).toMatchObject({ id, status });
      expect((await client.get(`/messages/${id}/timeline`)).body.data[0].type).toBe(
        "MessageRequested",
      );
    }
  }
});

test("the money is what it was, and the log proves it", async () => {
  for (const environment of ["sandbox", "live"] as const) {
    const client = of(environment === "live" ? facts.liveKey : facts.sandboxKey);
    const { available, held } = facts.balance[environment];
    expect((await client.get("/balance")).body).toMatchObject({ available, held });
    expect((await client.get("/wallet/proof")).body).toMatchObject({ matches: true, held });
  }
});

test("webhook secrets open with its master key, and the feed goes on behind its last event", async () => {
  const { body } = await clients.sandbox.get(`/webhook-endpoints/${facts.endpoint.id}/secret`);
  expect(body.secret).toMatch(/^whsec_/);
  const before = (await clients.sandbox.get("/events?limit=1000")).body;
  const id = await send(clients.sandbox, { channel: "sms", to: "+15551230001", text: "after" });
  await reached(clients.sandbox, id, "delivered");
  await until(async () => {
    const { data } = (await clients.sandbox.get(`/events?after=${before.next_after}`)).body;
    return data.some((event: { data: { message_id: string } }) => event.data.message_id === id);
  });
});

test("a key of then is a key still: the same request is answered with the same message, another is refused", async () => {
  const headers = { "idempotency-key": "fx-14" };
  const first = await clients.sandbox.get(`/messages/${facts.messages.sandbox.at(-1)![0]}`);
  expect(first.status).toBe(200);
  const other = await clients.sandbox.post(
    "/messages",
    { channel: "sms", to: "+15551230001", text: "another" },
    headers,
  );
  expect(other.body.code).toBe("idempotency_key_reused");
  const again = await clients.sandbox.post(
    "/messages",
    { channel: "sms", to: first.body.to, text: "Your parcel arrives." },
    headers,
  );
  expect(again).toMatchObject({ status: 202, body: { id: first.body.id } });
});

test("a message that was scheduled then can be canceled now, and its money comes back", async () => {
  expect((await clients.sandbox.get(`/messages/${facts.canceled}`)).body.status).toBe("canceled");
  expect((await clients.sandbox.post(`/messages/${facts.scheduled}/cancel`)).body.status).toBe(
    "canceled",
  );
  await until(async () => (await clients.sandbox.get("/balance")).body.held === "0");
});

test("its templates send, with all their versions", async () => {
  const { body } = await clients.sandbox.get(`/templates/${facts.template.id}`);
  expect(body).toMatchObject({ slug: "receipt", version: 2 });
  const id = await send(clients.sandbox, {
    channel: "email",
    to: "delivered@example.com",
    template: { slug: "receipt", version: 1 },
    variables: { n: 7 },
  });
  await reached(clients.sandbox, id, "delivered");
});

test("every read model equals the log", async () => {
  const { body } = await clients.admin.get("/admin/projections");
  const projectors = body.data.filter((item: { kind: string }) => item.kind === "projector");
  expect(projectors.length).toBeGreaterThan(5);
  // All are asked for before the first is waited for: the product looks for them once a second, and reads the log once for all.
  const jobs: { readonly name: string; readonly path: string }[] = [];
  for (const { name, environment } of projectors) {
    const path = `/admin/projections/${name}/rebuild`;
    const asked = await clients.admin.post(path, { environment, verify_only: true });
    expect(asked.status).toBe(202);
    jobs.push({ name, path: `${path}/${asked.body.id}` });
  }
  for (const { name, path } of jobs) {
    const done = await until(
      async () => {
        const job = (await clients.admin.get(path)).body;
        return ["done", "failed"].includes(job.status) && job;
      },
      { timeoutMs: 30_000, what: `${name} is verified` },
    );
    expect(done).toMatchObject({ status: "done", result: { equal: true } });
  }
});
