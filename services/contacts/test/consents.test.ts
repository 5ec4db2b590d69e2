import { openWorld, type World } from "@heliograph/testkit/world";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isInForce, periodsOf } from "../src/consents.ts";
import { service } from "../src/index.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld({ services: [service], partners: [{}, {}] });
});
afterAll(() => world.close());

const call = (method: string, path: string, body?: object, headers?: Record<string, string>) =>
  world.call(method, `/api/v1${path}`, {
    key: world.partners[0]!.key,
    body,
    headers: headers ?? {},
  });
const consent = { channel: "sms", purpose: "marketing", status: "granted", evidence: "a form" };

describe("consents", () => {
  test("are periods that can be read as of any time, and hold the evidence", async () => {
    const { body: contact } = await call("POST", "/contacts", { name: "Ada" });
    const path = `/contacts/${contact.id}/consents`;
    const evidence = { url: "https://x.example/form", ip: "192.0.2.1" };
    const first = await call("POST", path, { ...consent, evidence });
    expect(first).toMatchObject({ status: 201, body: { ...consent, evidence, ended_at: null } });
    const second = await call("POST", path, {
      ...consent,
      status: "withdrawn",
      evidence: "a call",
    });
    await call("POST", path, { ...consent, channel: "email" });
    const { data } = (await call("GET", path)).body;
    expect(data).toMatchObject([
      { id: first.body.id, status: "granted", ended_at: second.body.started_at },
      { id: second.body.id, status: "withdrawn", ended_at: null },
      { channel: "email", ended_at: null },
    ]);
    const asOf = async (time: string) => (await call("GET", `${path}?as_of=${time}`)).body.data;
    expect(await asOf("2020-01-01T00:00:00Z")).toEqual([]);
    expect(await asOf(first.body.started_at)).toMatchObject([{ status: "granted" }]);
    expect(await asOf("2100-01-01T00:00:00Z")).toMatchObject([
      { status: "withdrawn", evidence: "a call" },
      { channel: "email" },
    ]);
    const { rows } = await world.platform.contexts.sandbox.pool.query(
      "select data::text from log.events where type = 'ConsentRecorded'",
    );
    expect(JSON.stringify(rows)).not.toMatch(/a call|192\.0\.2\.1/);
  });

  test("recorded twice with one key are one; unknown fields, contacts and times are refused", async () => {
    const { body: contact } = await call("POST", "/contacts", { name: "Ada" });
    const path = `/contacts/${contact.id}/consents`;
    const key = { "Idempotency-Key": "consent-1" };
    const answers = [
      await call("POST", path, consent, key),
      await call("POST", path, consent, key),
    ];
    expect(answers[1]!.text).toBe(answers[0]!.text);
    expect((await call("GET", path)).body.data).toHaveLength(1);
    expect((await call("POST", path, { ...consent, status: "maybe" })).status).toBe(422);
    expect((await call("POST", path, { ...consent, evidence: undefined })).status).toBe(422);
    expect((await call("POST", path, { ...consent, evidence: "x".repeat(5_001) })).status).toBe(
      422,
    );
    expect((await call("GET", `${path}?as_of=yesterday`)).status).toBe(422);
    expect((await call("POST", "/contacts/cnt_0/consents", consent)).status).toBe(404);
    const other = { key: world.partners[1]!.key, body: consent };
    expect((await world.call("POST", `/api/v1${path}`, other)).status).toBe(404);
  });

  test("never two of one channel and purpose are in force at once, and one always is after the first", () => {
    const records = fc.array(
      fc.record({
        at: fc.integer({ min: 0, max: 50 }),
        channel: fc.constantFrom("sms" as const, "email" as const),
        status: fc.constantFrom("granted" as const, "withdrawn" as const),
      }),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(records, fc.integer({ min: 0, max: 60 }), (all, at) => {
        const periods = periodsOf(
          all.map(({ at: second, channel, status }, index) => ({
            consent_id: `con_${index}`,
            contact_id: "cnt_1",
            channel,
            purpose: "marketing",
            status,
            evidence: '"x"',
            recorded_at: new Date(second * 1_000).toISOString(),
          })),
        );
        for (const channel of ["sms", "email"]) {
          const begun = all.some((each) => each.channel === channel && each.at <= at);
          const now = periods.filter(
            (each) => each.channel === channel && isInForce(each, at * 1_000),
          );
          expect(now).toHaveLength(begun ? 1 : 0);
        }
      }),
    );
  });
});
