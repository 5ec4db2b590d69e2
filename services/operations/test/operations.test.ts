import { randomUUID } from "node:crypto";
import { newId, streamOf } from "@heliograph/contracts";
import { requestRebuild, startConsumers } from "@heliograph/runtime";
import { service as templates } from "@heliograph/templates";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { service as control } from "@heliograph/control";
import { service as dispatch } from "@heliograph/dispatch";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { service } from "../src/index.ts";

let world: World;
let partner: { id: string; key: string };
let admin: string;
let sandboxAdmin: string;
let running: Awaited<ReturnType<typeof startConsumers>>;
beforeAll(async () => {
  world = await openWorld({ services: [service, templates, dispatch, control] });
  partner = await world.addPartner();
  admin = await world.addKey(partner.id, { environment: "live", scopes: ["admin"] });
  sandboxAdmin = await world.addKey(partner.id, { scopes: ["admin"] });
  const context = world.platform.contexts.sandbox;
  running = await startConsumers(context, templates.consumers!(context));
});
afterAll(async () => {
  await running.stop();
  await world.close();
});

const get = (key: string, path: string) => world.call("GET", `/api/v1${path}`, { key });
const post = (key: string, path: string, body?: object) =>
  world.call("POST", `/api/v1${path}`, { key, ...(body !== undefined && { body }) });

describe("the service routes", () => {
  test("answer without a key, at the root and below the API", async () => {
    for (const prefix of ["", "/api/v1"]) {
      expect((await world.call("GET", `${prefix}/healthz`)).body).toEqual({ status: "ok" });
      expect((await world.call("GET", `${prefix}/readyz`)).status).toBe(200);
      const metrics = await world.call("GET", `${prefix}/metrics`);
      expect(metrics.headers.get("content-type")).toContain("text/plain");
      expect(metrics.text).toContain("heliograph_consumer_position");
    }
  });
});

describe("gateways", () => {
  test("are those of the environment, with their health where dispatch has shown it", async () => {
    const pool = world.platform.contexts.sandbox.pool;
    const [gateway] = world.platform.directory.gateways("sandbox", "sms");
    await pool.query(
      "insert into gateways.health (gateway_id, breaker, success_rate, latency_p50_ms, latency_p95_ms, calls, in_flight) values ($1, 'half_open', 0.5, 12, 40, 10, 0)",
      [gateway!.gateway_id],
    );
    const { body } = await get(partner.key, "/gateways");
    expect(body.data.map(({ name }: { name: string }) => name)).toEqual([
      "sim-broadcast",
      "sim-email",
      "sim-push",
      "sim-sms",
      "sim-telegram",
      "sim-whatsapp",
    ]);
    expect(body.data[0]).toMatchObject({ breaker: "closed", success_rate: null });
    expect(body.data[3]).toMatchObject({
      channel: "sms",
      kind: "simulator",
      status: "enabled",
      breaker: "half_open",
      success_rate: 0.5,
      latency_ms: { p50: 12, p95: 40 },
      max_per_second: null,
    });
    const live = await world.addKey(partner.id, { environment: "live" });
    expect((await get(live, "/gateways")).body.data).toEqual([]);
  });
});

describe("projections", () => {
  const find = async (key: string) =>
    (await get(key, "/admin/projections")).body.data.find(
      (item: { name: string; environment: string }) =>
        item.name === "templates" && item.environment === "sandbox",
    );

  test("show where they stand, and need an admin key", async () => {
    const shown = await until(async () => {
      const item = await find(admin);
      return item?.status === "running" && item.lag_events === 0 && item;
    });
    expect(shown).toMatchObject({ kind: "projector", lag_ms: 0 });
    expect(shown.position).toMatch(/^\d{16}$/);
    expect(shown.head).toMatch(/^\d{16}$/);
    for (const path of ["/admin/projections", "/admin/dead-letters", "/admin/partners"]) {
      expect((await get(partner.key, path)).status).toBe(403);
      expect((await world.call("GET", `/api/v1${path}`)).status).toBe(401);
    }
  });

  test("that no release runs any more leave the list", async () => {
    const context = world.platform.contexts.sandbox;
    const listed = async (): Promise<readonly string[]> =>
      (await get(sandboxAdmin, "/admin/projections")).body.data.map(
        (item: { name: string }) => item.name,
      );
    await context.pool.query(
      `insert into runtime.consumers (name, schema, kind, position, head, rate, status, owner, updated_at, known_at)
       values ('retired', 'retired', 'projector', 0, 0, 0, 'running', 'gone', now() - interval '2 days', now() - interval '2 days')`,
    );
    expect(await listed()).toContain("retired");
    // A process looks when it starts, and every minute.
    const another = await startConsumers(context, templates.consumers!(context));
    try {
      await until(async () => !(await listed()).includes("retired"));
    } finally {
      await another.stop();
    }
    expect(await listed()).toContain("templates");
  });

  test("are rebuilt and verified, with progress to read", async () => {
    const template = { slug: "one", channel: "sms", languages: { en: { text: "Hi" } } };
    await post(partner.key, "/templates", template);
    await until(async () => (await find(admin)) !== undefined);
    for (const verify_only of [true, false]) {
      const asked = await post(admin, "/admin/projections/templates/rebuild", {
        environment: "sandbox",
        verify_only,
      });
      expect(asked.status).toBe(202);
      const done = await until(async () => {
        const { body } = await get(admin, `/admin/projections/templates/rebuild/${asked.body.id}`);
        return body.status === "done" && body;
      });
      expect(done).toMatchObject({ name: "templates", environment: "sandbox", verify_only });
      if (verify_only) expect(done.result).toMatchObject({ equal: true, differs: [] });
      expect((await get(admin, `/admin/projections/other/rebuild/${asked.body.id}`)).status).toBe(
        404,
      );
    }
    expect((await get(partner.key, "/templates")).body.data).toHaveLength(1);
  });

  test("that are being rebuilt can be left as they are: a rebuild is canceled once, until it has ended", async () => {
    const { pool } = world.platform.contexts.sandbox;
    const { id } = await requestRebuild(pool, "nobody", false);
    const path = `/admin/projections/nobody/rebuild/${id}`;
    const cancel = () => post(admin, `${path}/cancel`, undefined);
    for (let time = 0; time < 2; time++)
      expect(await cancel()).toMatchObject({ status: 200, body: { id, status: "canceled" } });
    expect((await get(admin, path)).body).toMatchObject({ status: "canceled", result: null });
    await pool.query("update runtime.jobs set status = 'done' where id = $1", [id]);
    expect(await cancel()).toMatchObject({ status: 409 });
  });

  test("that do not exist, or that the key does not reach, are not found", async () => {
    const rebuild = (key: string, name: string, environment: string) =>
      post(key, `/admin/projections/${name}/rebuild`, { environment });
    expect((await rebuild(admin, "nothing", "sandbox")).status).toBe(404);
    expect((await rebuild(admin, "templates", "staging")).status).toBe(422);
    expect((await rebuild(sandboxAdmin, "templates", "live")).status).toBe(404);
    expect((await get(admin, `/admin/projections/templates/rebuild/${newId("prl")}`)).status).toBe(
      404,
    );
  });
});

describe("dead letters", () => {
  test("are listed over both environments page by page and retried by id", async () => {
    for (const [environment, count] of [
      ["sandbox", 3],
      ["live", 2],
    ] as const) {
      const { pool } = world.platform.contexts[environment];
      await pool.query("create schema if not exists runtime");
      if (environment === "live") {
        const context = world.platform.contexts.live;
        const idle = await startConsumers(context, []);
        await idle.stop();
      }
      for (let position = 1; position <= count; position++)
        await pool.query(
          `insert into runtime.dead_letters (consumer, position, event_id, event_type, reason) values ('nobody', $1, gen_random_uuid(), 'MessageSent', 'broken')`,
          [position],
        );
    }
    const ids: string[] = [];
    let cursor: string | null = null;
    do {
      const after: string = cursor === null ? "" : `&after=${cursor}`;
      const { body } = await get(admin, `/admin/dead-letters?limit=2${after}`);
      ids.push(...body.data.map(({ id }: { id: string }) => id));
      cursor = body.next_cursor;
    } while (cursor !== null);
    expect(ids.toSorted()).toEqual(["live-1", "live-2", "sandbox-1", "sandbox-2", "sandbox-3"]);
    const only = (await get(admin, "/admin/dead-letters?environment=live")).body.data;
    expect(only.map(({ id }: { id: string }) => id)).toEqual(["live-2", "live-1"]);
    expect((await get(sandboxAdmin, "/admin/dead-letters")).body.data).toHaveLength(3);
    expect((await post(admin, "/admin/dead-letters/live-2/retry")).status).toBe(202);
    const retried = (await get(admin, "/admin/dead-letters?status=retry")).body.data;
    expect(retried.map(({ id }: { id: string }) => id)).toEqual(["live-2"]);
    for (const id of ["live-99", "sandbox", "live-x", "other-1"])
      expect((await post(admin, `/admin/dead-letters/${id}/retry`)).status).toBe(404);
    expect((await post(sandboxAdmin, "/admin/dead-letters/live-1/retry")).status).toBe(404);
  });
});

describe("the log", () => {
  const at = "2026-05-23T14:22:17.000Z";
  const secret = "The code is 4711";
  const read = async (query: string, key = sandboxAdmin, status = 200) => {
    const answer = await get(key, `/admin/log?${query}`);
    expect([query, answer.status]).toEqual([query, status]);
    return answer.body;
  };

  test("is read by operators, with nothing of persons and no secrets in it", async () => {
    const message_id = newId("msg");
    const stream = streamOf("message", message_id);
    const segments = { count: 1, encoding: "GSM-7", characters: 2 };
    const price = { list: "standard", version: 1, country: "US", per_segment: "0.0079" };
    const money = { cost: "0.0079", currency: "USD", price, segments };
    const request = { channel: "sms", to: "+15551234567", content: { text: secret }, priority: 1 };
    const data = { message_id, ...request, ...money, created_at: at, expires_at: at };
    const metadata = { partner: partner.id, actor: "key_x", fingerprint: "f00" };
    const [outcome] = await world.platform.contexts.sandbox.log.append([
      {
        stream,
        expected: "no_stream",
        events: [
          {
            id: randomUUID(),
            type: "MessageRequested",
            data: { ...data, category: "transactional" },
            metadata,
          },
        ],
      },
    ]);
    expect(outcome).toMatchObject({ kind: "appended" });
    const page = await read(`stream=${stream}`);
    expect(page).toMatchObject({ environment: "sandbox", as_of: null, next_after: null });
    expect(page.data).toMatchObject([
      {
        stream,
        revision: 0,
        type: "MessageRequested",
        metadata: { partner: partner.id, actor: "key_x" },
        data: {
          message_id,
          channel: "sms",
          to: "[masked]",
          content: { text: "[masked]" },
          cost: "0.0079",
        },
      },
    ]);
    for (const hidden of [secret, "+1555", "fingerprint"])
      expect(JSON.stringify(page)).not.toContain(hidden);
    const { position } = page.data[0];
    expect((await read(`category=message&as_of=${position}`)).data).toHaveLength(1);
    expect((await read(`category=message&as_of=${BigInt(position) - 1n}`)).data).toHaveLength(0);
    const newest = await read("before=999999999999999999&limit=1");
    expect(newest.data[0].position).toBe(newest.head);
  });

  test("of an environment that the key does not reach is not there, nor is the platform's", async () => {
    for (const environment of ["live", "platform"])
      await read(`environment=${environment}`, sandboxAdmin, 404);
    const keys = await read("environment=platform&category=key", admin);
    expect(keys.data[0].type).toBe("KeyIssued");
    expect(keys.data[0].data).not.toMatchObject({ sha256: expect.stringMatching(/^[0-9a-f]/) });
    expect((await get(partner.key, "/admin/log")).status).toBe(403);
    await read("stream=message-nothing", sandboxAdmin, 404);
    for (const wrong of [
      "after=x",
      "limit=101",
      "category=persons",
      "after=1&before=2",
      "stream=a&category=key",
    ])
      await read(wrong, sandboxAdmin, 422);
  });
});

describe("the audit", () => {
  const find = async (query: string, key = admin) => {
    const answer = await get(key, `/admin/audit?${query}`);
    expect(answer.status).toBe(200);
    return answer.body;
  };

  test("names who changed what from where, refused calls too, and no reads and no secrets", async () => {
    const someone = await world.addPartner();
    await post(someone.key, "/keys", { name: "audited" });
    await post(someone.key, "/templates", { slug: "nowhere" });
    await get(someone.key, "/templates");
    const keys = (await get(someone.key, "/keys")).body.data;
    const page = await until(async () => {
      const found = await find(`actor=${keys[0].id}`);
      return found.data.length === 2 && found;
    });
    expect(page.data).toMatchObject([
      { action: "POST /templates", outcome: 422, environment: "sandbox" },
      {
        action: "POST /keys",
        outcome: 201,
        actor: keys[0].id,
        partner: someone.id,
        target: "/api/v1/keys",
        ip: expect.stringContaining("127.0.0.1"),
        request_id: expect.stringMatching(/^req_/),
      },
    ]);
    const { at } = page.data[1];
    expect((await find(`actor=${keys[0].id}&action=POST%20/keys`)).data).toHaveLength(1);
    expect((await find(`actor=${keys[0].id}&to=${at}`)).data).toHaveLength(0);
    expect((await find(`actor=${keys[0].id}&from=${at}`)).data).toHaveLength(2);
    const first = await find(`actor=${keys[0].id}&limit=1`);
    const second = await find(`actor=${keys[0].id}&limit=1&after=${first.next_cursor}`);
    expect(second.data[0].action).toBe("POST /keys");
    expect(second.next_cursor).toBeNull();
    expect((await get(someone.key, "/admin/audit")).status).toBe(403);
  });

  test("keeps no text in the place of an id, however long it is", async () => {
    const someone = await world.addPartner();
    const address = `/api/v1/keys/${"x".repeat(8_000)}`;
    expect((await world.call("DELETE", address, { key: someone.key })).status).toBe(404);
    const [key] = (await get(someone.key, "/keys")).body.data;
    const page = await until(async () => {
      const found = await find(`actor=${key.id}`);
      return found.data.length === 1 && found;
    });
    expect(page.data[0].target).toBe("/api/v1/keys/:id");
  });

  test("is written when the server stops", async () => {
    const someone = await world.addPartner();
    await post(someone.key, "/keys", { name: "last" });
    const [key] = (await get(someone.key, "/keys")).body.data;
    await world.restart();
    expect((await find(`actor=${key.id}`)).data).toHaveLength(1);
  });
});
