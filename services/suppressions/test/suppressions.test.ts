import { externalIdName } from "@heliograph/channels";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { service } from "../src/index.ts";

let world: World;
let key: string;
let partner: string;
beforeAll(async () => {
  world = await openWorld({ services: [service], consumers: "run" });
  ({ id: partner, key } = await world.addPartner());
});
afterAll(() => world.close());

const post = (body: object, options: object = {}) =>
  world.call("POST", "/api/v1/suppressions", { key, body, ...options });
const end = (id: string, options: object = {}) =>
  world.call("DELETE", `/api/v1/suppressions/${id}`, { key, ...options });
const list = async (query: string, position: string) =>
  world.call("GET", `/api/v1/suppressions?${query}`, {
    key,
    headers: { "min-log-position": position },
  });
const positionOf = (answer: Awaited<ReturnType<typeof post>>): string =>
  answer.headers.get("log-position")!;

describe("a suppression", () => {
  test("is a period with its evidence, in the form that the address is sent in", async () => {
    const started = await post({
      channel: "email",
      to: "Ada@EXAMPLE.com",
      applies_to: "marketing",
      note: "asked for by phone",
    });
    expect([started.status, started.body]).toEqual([
      201,
      {
        id: expect.stringMatching(/^sup_[0-9A-HJKMNP-TV-Z]{26}$/),
        channel: "email",
        to: "Ada@example.com",
        applies_to: "marketing",
        reason: "manual",
        evidence: { text: "asked for by phone" },
        started_at: expect.any(String),
        ended_at: null,
      },
    ]);
    const found = await list("to=Ada%40example.com&active=true", positionOf(started));
    expect(found.body.data).toEqual([started.body]);
    const ended = await end(started.body.id);
    expect([ended.status, ended.body]).toEqual([
      200,
      { ...started.body, ended_at: expect.any(String) },
    ]);
    const over = (query: string) => list(query, positionOf(ended));
    expect((await over("to=ada%40EXAMPLE.com")).body.data, "a local part keeps its case").toEqual(
      [],
    );
    expect((await over("to=Ada@EXAMPLE.com&active=true")).body.data).toEqual([]);
    expect((await over("to=Ada@EXAMPLE.com&channel=email")).body.data).toEqual([ended.body]);
    expect((await over("to=Ada@EXAMPLE.com&active=false")).body.data).toEqual([ended.body]);
    expect((await end(started.body.id)).body, "ended once").toEqual(ended.body);
  });

  test("that is active already and stops as much is the answer, and nothing is added", async () => {
    const to = "+15550100001";
    const first = await post({ channel: "sms", to, applies_to: "marketing" });
    const again = await post({ channel: "sms", to, applies_to: "marketing", note: "again" });
    expect(again.body).toEqual(first.body);
    const all = await post({ channel: "sms", to });
    expect(all.body.id).not.toBe(first.body.id);
    expect((await post({ channel: "sms", to, applies_to: "marketing" })).body).toEqual(first.body);
    const { body } = await list(`to=${encodeURIComponent(to)}`, positionOf(all));
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual([all.body.id, first.body.id]);
  });

  test("is started once by its key, and another body with the key is refused", async () => {
    const headers = { "idempotency-key": "stop-1" };
    const body = { channel: "sms", to: "+15550100002" };
    const first = await post(body, { headers });
    const again = await post(body, { headers });
    expect([again.body, again.headers.get("idempotent-replayed")]).toEqual([first.body, "true"]);
    const other = await post({ ...body, to: "+15550100003" }, { headers });
    expect(other.body.code).toBe("idempotency_key_reused");
    // Also where the first answer is kept no more: the id follows from the key, and a second period of that id would be in no list.
    await world.platform.contexts.sandbox.pool.query("delete from ingress.idempotency");
    const later = await post({ ...body, to: "+15550100003" }, { headers });
    expect([later.body.code, later.body.original]).toEqual([
      "idempotency_key_reused",
      first.headers.get("request-id"),
    ]);
    expect((await post(body, { headers })).body).toEqual(first.body);
  });

  test("of another partner or environment is not found", async () => {
    const { body } = await post({ channel: "sms", to: "+15550100004" });
    const stranger = await world.addPartner();
    const live = await world.addKey(partner, { environment: "live" });
    for (const other of [stranger.key, live]) {
      expect((await end(body.id, { key: other })).status).toBe(404);
      const { status } = await world.call("GET", `/api/v1/suppressions/${body.id}`, {
        key: other,
      });
      expect(status).toBe(404);
    }
    for (const id of ["sup_1", "sup_00000000000000000000000000", "x"])
      expect((await end(id)).status).toBe(404);
    expect((await world.call("GET", `/api/v1/suppressions/${body.id}`, { key })).body).toEqual(
      body,
    );
  });

  test("is ended only as the caller has seen it, where it says so", async () => {
    const { body } = await post({ channel: "sms", to: "+15550100005" });
    const seen = (await world.call("GET", `/api/v1/suppressions/${body.id}`, { key })).headers;
    const etag = seen.get("etag")!;
    expect((await end(body.id, { headers: { "if-match": '"other"' } })).status).toBe(412);
    expect((await end(body.id, { headers: { "if-match": etag } })).status).toBe(200);
    expect((await end(body.id, { headers: { "if-match": etag } })).status).toBe(412);
  });

  test.each([
    [{ channel: "sms", to: "15551230001" }, "to"],
    [{ channel: "fax", to: "+15551230001" }, "channel"],
    [{ channel: "sms", to: "+15551230001", applies_to: "some" }, "applies_to"],
    [{ channel: "sms", to: "+15551230001", until: "x" }, "until"],
    [{ channel: "sms" }, "to"],
  ])("%j is refused, naming the field", async (body, path) => {
    const answer = await post(body);
    expect([answer.status, answer.body.errors[0].path]).toEqual([422, path]);
  });

  test("is asked for by what can be an address, and by a key that may", async () => {
    const { status, body } = await list("to=nobody", "0");
    expect([status, body.errors?.[0].path]).toEqual([200, undefined]);
    expect((await list("to=%2B1&channel=sms", "0")).status).toBe(422);
    const reader = await world.addKey(partner, { scopes: ["suppressions:read"] });
    expect((await post({ channel: "sms", to: "+15550100006" }, { key: reader })).status).toBe(403);
  });

  test("keeps nothing readable once its contact is erased, and its name is still the recipient's", async () => {
    const { vault, pool } = world.platform.contexts.sandbox;
    const to = "+15550100007";
    const headers = { "idempotency-key": "erased-later" };
    const asked = { channel: "sms", to, note: "Ada asked for it" };
    const { body } = await post(asked, { headers });
    const rows = await pool.query("select recipient, evidence from suppressions.periods");
    expect(JSON.stringify(rows.rows)).not.toMatch(/asked for it|\+1555/);
    await vault.destroy(partner, [externalIdName(vault, partner, { source: "sms", id: to })]);
    const { body: erased } = await world.call("GET", `/api/v1/suppressions/${body.id}`, { key });
    expect(erased).toMatchObject({
      to: "[erased]",
      evidence: { text: "[erased]" },
      ended_at: null,
    });
    const found = await list(`to=${encodeURIComponent(to)}`, "0");
    expect(found.body.data).toEqual([erased]);
    // Neither the kept answer nor, once that is dropped, the event gives it back.
    const repeat = async () => (await post(asked, { headers })).body.code;
    expect(await repeat()).toBe("contact_erased");
    await pool.query("delete from ingress.idempotency where key = 'erased-later'");
    expect(await repeat()).toBe("contact_erased");
  });
});
