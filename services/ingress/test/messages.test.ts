import { readFileSync } from "node:fs";
import { hostService, routesOf } from "@heliograph/api";
import { services } from "../src/index.ts";
import { newId, streamOf, uuid7 } from "@heliograph/contracts";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readTimeline } from "../src/messages/timeline.ts";
import { sms } from "./sending.ts";

let world: World;
let partner: { id: string; key: string };
let other: { id: string; key: string };
beforeAll(async () => {
  world = await openWorld({ services });
  partner = await world.addPartner();
  other = await world.addPartner();
});
afterAll(() => world.close());

const get = (path: string, key = partner.key, headers: Record<string, string> = {}) =>
  world.call("GET", `/api/v1${path}`, { key, headers });
const send = async (body: object = sms) =>
  (await world.call("POST", "/api/v1/messages", { key: partner.key, body })).body;
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();
const cancel = (id: string, headers: Record<string, string> = {}) =>
  world.call("POST", `/api/v1/messages/${id}/cancel`, { key: partner.key, headers });

const receipt = (message: string) => ({
  id: uuid7(),
  type: "ReceiptReceived",
  data: {
    message_id: message,
    gateway: "sim-sms",
    provider_message_id: "p",
    provider_event_id: "e",
    status: "delivered",
    occurred_at: inAnHour(),
  },
  metadata: { partner: partner.id },
});

/** What delivery's projector would write. */
async function project(): Promise<void> {
  const { log, pool } = world.platform.contexts.sandbox;
  const { events, position } = await log.readAll({
    after: 0n,
    limit: 10_000,
    types: ["MessageRequested"],
  });
  for (const event of events)
    await pool.query(
      `insert into messages.messages (position, created_at, status, reply, partner, id, channel, "to", tags, metadata, client_ref) values ($1, $2, 1, false, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing`,
      [
        String(event.position),
        Date.parse(event.data.created_at),
        event.metadata.partner,
        event.data.message_id,
        event.data.channel,
        event.data.to,
        event.data.tags ?? null,
        event.data.metadata ?? null,
        event.data.client_ref ?? null,
      ],
    );
  await pool.query(
    "insert into messages.checkpoint (name, position, epoch) values ('messages', $1, 0) on conflict (name) do update set position = excluded.position",
    [String(position)],
  );
}

describe("one message", () => {
  test("is shown as soon as it was accepted", async () => {
    const { id } = await send({ ...sms, client_ref: "r", tags: ["t"] });
    const answer = await get(`/messages/${id}`);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      id,
      status: "queued",
      cost: "0",
      cost_estimate: "0.0079",
      attempts: 0,
      client_ref: "r",
      tags: ["t"],
      metadata: {},
    });
    // It is folded from the log: nothing is behind.
    expect(answer.headers.get("projection-lag")).toBe("0");
  });

  test("is not there for another partner, another environment, or an id that is none", async () => {
    const { id } = await send();
    const live = await world.addKey(partner.id, { environment: "live" });
    for (const answer of [
      await get(`/messages/${id}`, other.key),
      await get(`/messages/${id}`, live),
      await get("/messages/msg_1"),
      await get(`/messages/${newId("msg")}`),
      await get(`/messages/${id}/timeline`, other.key),
    ])
      expect([answer.status, answer.body.code]).toEqual([404, "not_found"]);
  });

  test("can be seen as of an earlier position", async () => {
    const { id } = await send({ ...sms, send_at: inAnHour() });
    const [first] = await world.platform.contexts.sandbox.log.readStream(streamOf("message", id));
    await cancel(id);
    expect((await get(`/messages/${id}`)).body.status).toBe("canceled");
    expect((await get(`/messages/${id}?as_of=${first!.position}`)).body.status).toBe("scheduled");
    expect((await get(`/messages/${id}?as_of=${first!.position - 1n}`)).status).toBe(404);
    expect((await get(`/messages/${id}?as_of=x`)).body.code).toBe("invalid_request");
    expect((await get(`/messages/${id}?at=${first!.position}`)).status).toBe(200);
    const torn = await get(`/messages/${id}?at=${first!.position}&as_of=1`);
    expect(torn.body.errors[0]).toMatchObject({ path: "at", code: "conflict" });
  });

  test("has a timeline of its own events, its receipts and the wallet's part in it", async () => {
    const { log, pool } = world.platform.contexts.sandbox;
    const { id } = await send();
    const foreign = newId("msg");
    const [, held] = await log.append([
      {
        stream: streamOf("receipts", id),
        expected: "no_stream",
        events: [receipt(id)],
      },
      {
        stream: streamOf("wallet", partner.id),
        expected: "any",
        events: [
          {
            id: uuid7(),
            type: "FundsHeld",
            data: {
              covers: "1",
              available: "999",
              held: "1",
              currency: "USD",
              entries: [
                { message_id: foreign, amount: "1" },
                { message_id: id, amount: "0.0079" },
              ],
            },
            metadata: { partner: partner.id },
          },
        ],
      },
    ]);
    if (held?.kind !== "appended") throw new Error("not appended");
    await pool.query(
      "insert into wallet.holds (message_id, partner, amount, held_position) values ($1, $2, '0.0079', $3)",
      [id, partner.id, String(held.position)],
    );
    const { body } = await get(`/messages/${id}/timeline`);
    expect(body.data.map((event: { type: string }) => event.type)).toEqual([
      "MessageRequested",
      "ReceiptReceived",
      "FundsHeld",
    ]);
    expect(body.data[0]).toMatchObject({
      id: expect.stringMatching(/^evt_/),
      actor: expect.stringMatching(/^key_/),
      position: expect.stringMatching(/^\d{16}$/),
    });
    expect(body.data[2].data).toMatchObject({
      amount: "0.0079",
      currency: "USD",
      available: "999",
    });
    expect(JSON.stringify(body)).not.toContain(foreign);
  });

  test("has a timeline without what happens while it is read, so that no effect lacks its cause", async () => {
    const context = world.platform.contexts.sandbox;
    const { id } = await send();
    // A receipt comes between the reads.
    const log: typeof context.log = Object.create(context.log, {
      readStream: {
        value: async (stream: string) => {
          const events = await context.log.readStream(stream);
          if (stream !== streamOf("message", id)) return events;
          await context.log.append([
            { stream: streamOf("receipts", id), expected: "no_stream", events: [receipt(id)] },
          ]);
          return events;
        },
      },
    });
    const { data } = await readTimeline(
      { ...context, log },
      "sandbox",
      partner.id,
      id,
      AbortSignal.timeout(5_000),
    );
    expect((data as { type: string }[]).map(({ type }) => type)).toEqual(["MessageRequested"]);
  });
});

describe("cancel", () => {
  test("ends a scheduled message once, and its replay says the same", async () => {
    const { id } = await send({ ...sms, send_at: inAnHour() });
    const headers = { "idempotency-key": newId("req") };
    const first = await cancel(id, headers);
    expect([first.status, first.body.status]).toEqual([200, "canceled"]);
    const again = await cancel(id, headers);
    expect([again.text, again.headers.get("idempotent-replayed")]).toEqual([first.text, "true"]);
    const other = await cancel(id);
    expect(other.status).toBe(409);
    expect(other.body).toMatchObject({ code: "conflict", status: 409, message_status: "canceled" });
  });

  test("of many at once is one event", async () => {
    const { id } = await send({ ...sms, send_at: inAnHour() });
    const answers = await Promise.all(Array.from({ length: 8 }, () => cancel(id)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(
      await world.platform.contexts.sandbox.log.readStream(streamOf("message", id)),
    ).toHaveLength(2);
  });

  test("is refused for a message that is queued, and for another partner's", async () => {
    const { id } = await send();
    expect((await cancel(id)).body.code).toBe("conflict");
    expect(
      (await world.call("POST", `/api/v1/messages/${id}/cancel`, { key: other.key })).status,
    ).toBe(404);
  });

  test("finds its own event when the first try ended after the append", async () => {
    const { id } = await send({ ...sms, send_at: inAnHour() });
    const headers = { "idempotency-key": newId("req") };
    const first = await cancel(id, headers);
    await world.platform.contexts.sandbox.pool.query("delete from ingress.idempotency");
    const again = await cancel(id, headers);
    expect([again.text, again.headers.get("idempotent-replayed")]).toEqual([first.text, null]);
  });
});

describe("the list", () => {
  test("has the partner's messages, newest first, in pages both ways", async () => {
    const reader = await world.addPartner();
    const ids: string[] = [];
    for (let index = 0; index < 5; index++)
      ids.unshift(
        (
          await world.call("POST", "/api/v1/messages", {
            key: reader.key,
            body: {
              ...sms,
              text: `n ${index}`,
              tags: [index % 2 ? "odd" : "even"],
              metadata: { n: index },
              client_ref: `ref-${index}`,
            },
          })
        ).body.id,
      );
    await project();
    const page = async (query: string) => (await get(`/messages?${query}`, reader.key)).body;
    const idsOf = (body: { data: { id: string }[] }) => body.data.map(({ id }) => id);
    const first = await page("limit=2");
    expect(idsOf(first)).toEqual(ids.slice(0, 2));
    const second = await page(`limit=2&after=${first.next_cursor}`);
    expect(idsOf(second)).toEqual(ids.slice(2, 4));
    expect(idsOf(await page(`limit=2&after=${second.prev_cursor}`))).toEqual(ids.slice(0, 2));
    expect(idsOf(await page("tag=odd"))).toEqual([ids[1], ids[3]]);
    expect(idsOf(await page("metadata[n]=4"))).toEqual([ids[0]]);
    expect(idsOf(await page("client_ref=ref-1"))).toEqual([ids[3]]);
    // Both names of a field, in requests and answers.
    expect(first.next_after).toBe(first.next_cursor);
    expect(idsOf(await page(`limit=2&cursor=${first.next_after}`))).toEqual(ids.slice(2, 4));
    expect((await get(`/messages?after=${first.next_cursor}&cursor=x`, reader.key)).status).toBe(
      422,
    );
    expect(idsOf(await page("metadata[__proto__]=1"))).toEqual([]);
    expect(idsOf(await page("metadata[constructor]=1"))).toEqual([]);
    expect(idsOf(await page("status=queued&channel=sms&limit=100"))).toEqual(ids);
    expect(idsOf(await page("status=sent,delivered"))).toEqual([]);
    expect(idsOf(await page(`created_from=${encodeURIComponent("2099-01-01T00:00:00Z")}`))).toEqual(
      [],
    );
    const foreign = await get(`/messages?after=${first.next_cursor}`);
    expect([foreign.status, foreign.body.errors[0].code]).toEqual([422, "invalid_cursor"]);
    for (const query of [
      "limit=0",
      "limit=101",
      "after=zzz",
      "status=gone",
      "sort=up",
      "created_from=yesterday",
      "limit=1&limit=2",
    ])
      expect((await get(`/messages?${query}`, reader.key)).status).toBe(422);
  });

  test("waits for Min-Log-Position and says how far it lags", async () => {
    await send();
    await project();
    const caughtUp = await get("/messages");
    expect(caughtUp.headers.get("projection-lag")).toBe("0");
    const sent = await world.call("POST", "/api/v1/messages", { key: partner.key, body: sms });
    expect((await get("/messages")).headers.get("projection-lag")).toBe("1");
    const waiting = get("/messages", partner.key, {
      "min-log-position": sent.headers.get("log-position")!,
    });
    await project();
    const seen = await waiting;
    expect(seen.body.data[0].id).toBe(sent.body.id);
    expect((await get("/messages", partner.key, { "min-log-position": "soon" })).status).toBe(422);
  });
});

test("the AsyncAPI document is served as it is checked in, without a key", async () => {
  const file = new URL("../../../schemas/asyncapi.json", import.meta.url);
  const expected = JSON.parse(readFileSync(file, "utf8"));
  for (const path of ["/asyncapi.json", "/api/v1/asyncapi.json"]) {
    const { status, body } = await world.call("GET", path);
    expect(status).toBe(200);
    expect(body).toEqual(expected);
  }
});

test("the OpenAPI document has every route and nothing else", async () => {
  const { body, status } = await world.call("GET", "/api/v1/openapi.json");
  expect(status).toBe(200);
  const documented = Object.entries(body.paths as Record<string, object>).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const served = routesOf([...services, hostService]).map(
    (route) =>
      `${route.method} ${(route.root ? "" : "/api/v1") + route.path.replaceAll(/:(\w+)/g, "{$1}")}`,
  );
  expect(documented.toSorted()).toEqual(served.toSorted());
});
