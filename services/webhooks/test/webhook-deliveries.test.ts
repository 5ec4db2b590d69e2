import { eventPublicId, newId, streamOf, uuid7 } from "@heliograph/contracts";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { service } from "../src/index.ts";

type DeliveryStatus = "pending" | "delivered" | "failed" | "discarded";

let world: World;
let partner: { id: string; key: string };
let other: { id: string; key: string };
beforeAll(async () => {
  world = await openWorld({ services: [service] });
  partner = await world.addPartner();
  other = await world.addPartner();
});
afterAll(() => world.close());

const log = () => world.platform.contexts.sandbox.log;
const call = (method: string, path: string, body?: object, key = partner.key) =>
  world.call(method, `/api/v1${path}`, { key, ...(body !== undefined && { body }) });

async function endpoint(): Promise<string> {
  return (await call("POST", "/webhook-endpoints", { url: "https://example.com/" })).body.id;
}

/** Rows as services/webhooks writes them: one a minute from the start of 2026, their sequences from 1. */
async function record(endpointId: string, statuses: readonly DeliveryStatus[]): Promise<string[]> {
  const ids = statuses.map(() => newId("whd"));
  const attempt = { at: "2026-01-01T00:00:00.000Z", duration_ms: 5, status_code: 500 };
  await world.platform.contexts.sandbox.pool.query(
    `insert into webhooks.deliveries (id, endpoint_id, position, partner, event_id, type, sequence, status, attempts, next_attempt_at, created_at)
     select id, $3, n, $4, 'evt_' || n, case n % 2 when 0 then 'message.sent' else 'message.failed' end, n, status, $5,
       case status when 'pending' then 1767225600000 end, 1767225600000 + n * 60000
     from unnest($1::text[], $2::text[]) with ordinality as t(id, status, n)`,
    [ids, statuses, endpointId, partner.id, JSON.stringify([attempt])],
  );
  return ids;
}

describe("deliveries", () => {
  test("are listed newest first with their attempts, by status and page by page", async () => {
    const id = await endpoint();
    const ids = await record(id, ["delivered", "failed", "failed", "pending", "failed"]);
    const path = `/webhook-endpoints/${id}/deliveries`;
    const all = (await call("GET", path)).body;
    expect(all.data.map((item: { id: string }) => item.id)).toEqual(ids.toReversed());
    expect(all.data[1]).toMatchObject({
      endpoint_id: id,
      event_id: "evt_4",
      type: "message.sent",
      status: "pending",
      attempts: [{ status_code: 500, duration_ms: 5 }],
      next_attempt_at: "2026-01-01T00:00:00.000Z",
    });
    expect(all.data[1]).not.toHaveProperty("position");
    const first = (await call("GET", `${path}?status=failed&limit=2`)).body;
    expect(first.data.map((item: { id: string }) => item.id)).toEqual([ids[4], ids[2]]);
    const next = await call("GET", `${path}?status=failed&limit=2&after=${first.next_cursor}`);
    expect(next.body.data.map((item: { id: string }) => item.id)).toEqual([ids[1]]);
    expect(next.body.next_cursor).toBeNull();
    // A cursor belongs to its list: that of one status does not fit another.
    expect((await call("GET", `${path}?after=${first.next_cursor}`)).status).toBe(422);
    expect((await call("GET", `${path}?status=lost`)).status).toBe(422);
  });

  test("are listed by event and by message, over all endpoints", async () => {
    const [first, second] = [await endpoint(), await endpoint()];
    const [message, event] = [newId("msg"), uuid7()];
    const context = { channel: "sms", to: "+15551230001" };
    const data = { message_id: message, message: context, cost: "0.01", currency: "EUR" };
    const metadata = { partner: partner.id };
    const canceled = { id: event, type: "MessageCanceled", data, metadata } as const;
    const stream = streamOf("message", message);
    const [stored] = await log().append([{ stream, expected: "no_stream", events: [canceled] }]);
    expect(stored).toMatchObject({ kind: "appended" });
    const told = eventPublicId(event);
    const { pool } = world.platform.contexts.sandbox;
    const ids: string[] = [];
    for (const id of [first, second]) {
      // Behind it an endpoint has more than fit on one page.
      const [one] = await record(id, ["failed", ...Array<DeliveryStatus>(120).fill("delivered")]);
      ids.push(one!);
      await pool.query("update webhooks.deliveries set event_id = $2 where id = $1", [one, told]);
    }
    const listed = ids.toSorted().toReversed();
    const idsOf = async (query: string, key?: string) => {
      const { status, body } = await call(
        "GET",
        `/webhook-deliveries?${query}`,
        undefined,
        key ?? partner.key,
      );
      return status === 200 ? body.data.map((item: { id: string }) => item.id) : status;
    };
    for (const filter of [`event_id=${told}`, `message_id=${message}`]) {
      expect(await idsOf(filter)).toEqual(listed);
      expect(await idsOf(`${filter}&status=failed`)).toEqual(listed);
      expect(await idsOf(`${filter}&status=delivered`)).toEqual([]);
      // Both are at one position of the log: a page ends between them.
      const page = (await call("GET", `/webhook-deliveries?${filter}&limit=1`)).body;
      expect(page.data[0].id).toBe(listed[0]);
      const next = (
        await call("GET", `/webhook-deliveries?${filter}&limit=1&after=${page.next_cursor}`)
      ).body;
      expect([next.data[0].id, next.next_cursor]).toEqual([listed[1], null]);
      expect(await idsOf(`${filter}&limit=1&before=${next.prev_cursor}`)).toEqual([listed[0]]);
      expect(await idsOf(filter, other.key)).toEqual([]);
      // A cursor belongs to its list.
      expect(await idsOf(`${filter}&status=failed&after=${page.next_cursor}`)).toBe(422);
    }
    for (const none of ["event_id=evt_0", "message_id=x", `message_id=${newId("msg")}`])
      expect(await idsOf(none)).toEqual([]);
    for (const wrong of ["", "status=failed", `event_id=${told}&message_id=${message}`])
      expect(await idsOf(wrong)).toBe(422);
  });

  test("are shown with the request: the body as it is signed, own values masked", async () => {
    const { id } = (
      await call("POST", "/webhook-endpoints", {
        url: "https://example.com/hook",
        headers: { Authorization: "Basic abc" },
      })
    ).body;
    const [delivery] = await record(id, ["pending"]);
    const path = `/webhook-deliveries/${delivery}`;
    const text = '{"id":"evt_1","sequence":1}';
    const { pool } = world.platform.contexts.sandbox;
    await pool.query("update webhooks.deliveries set body = $2 where id = $1", [delivery, text]);
    const shown = await call("GET", path);
    expect(shown.body).toMatchObject({ id: delivery, status: "pending", endpoint_id: id });
    expect(shown.body.request).toEqual({
      method: "POST",
      url: "https://example.com/hook",
      headers: {
        "content-type": "application/json",
        "user-agent": "Heliograph-Webhooks/1.0",
        Authorization: "***",
        "webhook-id": "evt_1",
        "webhook-timestamp": "1767225600",
      },
      body: text,
    });
    // Later the body is built again from the event.
    const endpoint_id = newId("whe");
    const data = { endpoint_id, url: "https://example.com/", reason: "gone" };
    const type = "WebhookEndpointDisabled";
    const event = { id: uuid7(), type, data, metadata: { partner: partner.id } } as const;
    const [stored] = await log().append([
      { stream: streamOf("endpoint", endpoint_id), expected: "no_stream", events: [event] },
    ]);
    await pool.query(
      "update webhooks.deliveries set body = null, status = 'delivered', position = $2, sequence = 7 where id = $1",
      [delivery, String((stored as { position: bigint }).position)],
    );
    expect(JSON.parse((await call("GET", path)).body.request.body)).toMatchObject({
      type: "webhook_endpoint.disabled",
      sequence: 7,
      data: { endpoint_id, reason: "gone" },
    });
    expect((await call("GET", path, undefined, other.key)).status).toBe(404);
    expect((await call("GET", `/webhook-deliveries/${newId("whd")}`)).status).toBe(404);
  });

  test("are tried again one by one, recorded once for an idempotency key", async () => {
    const id = await endpoint();
    const [delivery] = await record(id, ["failed"]);
    const headers = { "idempotency-key": newId("req") };
    const options = { key: partner.key, headers };
    const path = `/api/v1/webhook-deliveries/${delivery}/retry`;
    const first = await world.call("POST", path, options);
    expect([first.status, first.body.id]).toEqual([202, delivery]);
    expect((await world.call("POST", path, options)).text).toBe(first.text);
    const events = await log().readStream(streamOf("endpoint", id));
    expect(events.map(({ type }) => type)).toEqual([
      "WebhookEndpointCreated",
      "WebhookRetryRequested",
    ]);
    expect((await call("GET", `/webhook-endpoints/${id}`)).status).toBe(200);
  });

  test("of another partner or a disabled endpoint are not tried again", async () => {
    const id = await endpoint();
    const [delivery] = await record(id, ["failed"]);
    const path = `/webhook-deliveries/${delivery}/retry`;
    expect((await call("POST", path, undefined, other.key)).status).toBe(404);
    expect((await call("POST", `/webhook-deliveries/${newId("whd")}/retry`)).status).toBe(404);
    await call("PATCH", `/webhook-endpoints/${id}`, { status: "disabled" });
    expect((await call("POST", path)).status).toBe(409);
    expect((await call("POST", `/webhook-endpoints/${id}/replay`, {})).status).toBe(409);
  });
});

describe("a replay", () => {
  const matched = async (id: string, body: object): Promise<number> =>
    (await call("POST", `/webhook-endpoints/${id}/replay`, body)).body.matched;

  test("takes deliveries by status, type, time and sequence", async () => {
    const id = await endpoint();
    await record(id, ["delivered", "failed", "discarded", "pending", "failed", "failed"]);
    expect(await matched(id, {})).toBe(4); // what was delivered is not sent again unasked
    expect(await matched(id, { statuses: ["delivered", "failed", "discarded"] })).toBe(5);
    expect(await matched(id, { event_types: ["message.sent"], statuses: ["failed"] })).toBe(2);
    expect(await matched(id, { statuses: ["failed"] })).toBe(3);
    expect(await matched(id, { statuses: ["failed"], types: ["message.sent"] })).toBe(2);
    expect(await matched(id, { after_sequence: 4 })).toBe(2);
    expect(await matched(id, { since: "2026-01-01T00:05:00Z" })).toBe(2);
    expect(await matched(id, { until: "2026-01-01T00:03:00Z" })).toBe(1);
    expect(await matched(id, { since: "2027-01-01T00:00:00Z" })).toBe(0);
  });

  test("that matches nothing is there all the same, and done", async () => {
    const id = await endpoint();
    const { status, body } = await call("POST", `/webhook-endpoints/${id}/replay`, {});
    expect([status, body.matched]).toEqual([202, 0]);
    const path = `/webhook-endpoints/${id}/replay/${body.id}`;
    expect((await call("GET", path)).body).toMatchObject({
      id: body.id,
      status: "done",
      matched: 0,
      attempted: 0,
    });
    expect((await call("GET", path, undefined, other.key)).status).toBe(404);
  });

  test("records one retry for each of thousands, and shows how far they are", async () => {
    const id = await endpoint();
    const ids = await record(id, Array<DeliveryStatus>(2_500).fill("failed"));
    const { status, body } = await call("POST", `/webhook-endpoints/${id}/replay`, {});
    expect([status, body.matched, body.complete, body.last_sequence]).toEqual([
      202,
      2_500,
      true,
      2_500,
    ]);
    const stream = streamOf("endpoint", body.id);
    const last = await log().readStream(stream, { backwards: true, limit: 1 });
    expect(last[0]).toMatchObject({
      revision: 2_500,
      type: "WebhookRetryRequested",
      data: { endpoint_id: id, delivery_id: ids.at(-1) },
    });
    const path = `/webhook-endpoints/${id}/replay/${body.id}`;
    expect((await call("GET", path)).body).toMatchObject({
      status: "running",
      matched: 2_500,
      attempted: 0,
    });
    await world.platform.contexts.sandbox.pool.query(
      "update webhooks.deliveries set status = 'delivered', attempts = $2 where endpoint_id = $1",
      [id, JSON.stringify([{ at: new Date(Date.now() + 1_000).toISOString(), duration_ms: 1 }])],
    );
    expect((await call("GET", path)).body).toMatchObject({
      status: "done",
      attempted: 2_500,
      delivered: 2_500,
    });
    expect((await call("GET", path, undefined, other.key)).status).toBe(404);
    const second = await endpoint();
    expect((await call("GET", `/webhook-endpoints/${second}/replay/${body.id}`)).status).toBe(404);
  });

  test("that crashed before its answer was kept is completed by the retry, not doubled", async () => {
    const id = await endpoint();
    await record(id, Array<DeliveryStatus>(3).fill("failed"));
    const options = { key: partner.key, headers: { "idempotency-key": newId("req") }, body: {} };
    const path = `/api/v1/webhook-endpoints/${id}/replay`;
    const first = await world.call("POST", path, options);
    await world.platform.contexts.sandbox.pool.query("delete from ingress.idempotency");
    const again = await world.call("POST", path, options);
    expect([again.status, again.body]).toEqual([202, first.body]);
    expect(await log().readStream(streamOf("endpoint", first.body.id))).toHaveLength(4);
    // Once it is canceled, a retry asks for nothing more.
    const cancel = (key: string) =>
      call("POST", `/webhook-endpoints/${id}/replay/${first.body.id}/cancel`, {}, key);
    expect((await cancel(other.key)).status).toBe(404);
    for (let at = 0; at < 2; at++)
      expect(await cancel(partner.key)).toMatchObject({ status: 202, body: { endpoint_id: id } });
    const shown = await call("GET", `/webhook-endpoints/${id}/replay/${first.body.id}`);
    expect(shown.body).toMatchObject({ status: "canceled", matched: 3 });
    await record(id, ["failed"]);
    await world.platform.contexts.sandbox.pool.query("delete from ingress.idempotency");
    expect((await world.call("POST", path, options)).body).toMatchObject({ matched: 3 });
    expect(await log().readStream(streamOf("endpoint", first.body.id))).toHaveLength(5);
  });
});

test("an endpoint is changed by one of two who saw the same, and deleted by nobody who saw another state", async () => {
  const id = await endpoint();
  const path = `/api/v1/webhook-endpoints/${id}`;
  const of = (method: string, match: string | null = null, body?: object) =>
    world.call(method, path, {
      key: partner.key,
      ...(match !== null && { headers: { "if-match": match } }),
      ...(body !== undefined && { body }),
    });
  const seen = (await of("GET")).headers.get("etag");
  const both = await Promise.all(
    ["one", "two"].map((description) => of("PATCH", seen, { description })),
  );
  expect(both.map(({ status }) => status)).toEqual(expect.arrayContaining([200, 412]));
  const kept = both.find(({ status }) => status === 200)!;
  const now = await of("GET");
  expect([now.body, now.headers.get("etag")]).toEqual([kept.body, kept.headers.get("etag")]);
  expect((await of("DELETE", seen)).status).toBe(412);
  await call("POST", `/webhook-endpoints/${id}/rotate-secret`, {});
  const rotated = await of("PATCH", now.headers.get("etag"), { description: "x" });
  expect(rotated.status).toBe(412);
  expect((await of("DELETE", (await of("GET")).headers.get("etag"))).status).toBe(204);
});
