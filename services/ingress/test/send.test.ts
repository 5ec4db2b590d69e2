import { deterministicId, newId, streamOf, uuid7 } from "@heliograph/contracts";
import { loosely, until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { services } from "../src/index.ts";
import { sms } from "./sending.ts";

let world: World;
let partner: { id: string; key: string };
beforeAll(async () => {
  world = await openWorld({ services });
  partner = await world.addPartner();
});
afterAll(() => world.close());

const send = (body: unknown, headers: Record<string, string> = {}, key = partner.key) =>
  world.call("POST", "/api/v1/messages", { key, body, headers });
const stored = (id: string) =>
  world.platform.contexts.sandbox.log.readStream(streamOf("message", id));

async function addTemplate(slug: string, channel = "whatsapp"): Promise<string> {
  const id = deterministicId("tpl", partner.id, channel, slug);
  await world.platform.contexts.sandbox.log.append([
    {
      stream: streamOf("template", id),
      expected: "no_stream",
      events: [
        {
          id: uuid7(),
          type: "TemplateCreated",
          data: {
            template_id: id,
            slug,
            version: 1,
            channel,
            default_language: "en",
            languages: { en: { text: "Hello {{name}}" } },
            variables: { name: { type: "string", required: true } },
            created_at: new Date().toISOString(),
          },
          metadata: { partner: partner.id },
        },
      ],
    },
  ]);
  return id;
}

describe("an accepted message", () => {
  test("is in the log before the 202, with everything the answer says", async () => {
    const answer = await send({ ...sms, tags: ["a"], metadata: { order: 7 }, client_ref: "r1" });
    expect(answer.status).toBe(202);
    expect(Object.keys(answer.body).slice(0, 5)).toEqual([
      "id",
      "status",
      "channel",
      "cost_estimate",
      "created_at",
    ]);
    expect(answer.body).toMatchObject({
      status: "queued",
      channel: "sms",
      cost_estimate: "0.0079",
      currency: "USD",
      environment: "sandbox",
      to: sms.to,
      segments: { count: 1 },
    });
    const [event] = await stored(answer.body.id);
    expect(event).toMatchObject({
      type: "MessageRequested",
      metadata: {
        partner: partner.id,
        request_id: answer.headers.get("request-id"),
        correlation: answer.body.id,
      },
    });
    expect(answer.headers.get("log-position")).toBe(event!.position.toString().padStart(16, "0"));
  });

  test("renders its template and keeps the variables", async () => {
    await addTemplate("hello");
    const answer = await send({
      channel: "whatsapp",
      to: "+15551234567",
      template: "hello",
      language: "en",
      variables: { name: "Ada" },
    });
    expect(answer.status).toBe(202);
    expect(loosely((await stored(answer.body.id))[0]!.data).content).toMatchObject({
      text: "Hello Ada",
      template: { slug: "hello", version: 1, language: "en", variables: { name: "Ada" } },
    });
  });

  test("uses a template's new version as soon as it is there", async () => {
    const id = await addTemplate("versions");
    const body = {
      channel: "whatsapp",
      to: "+15551234567",
      template: "versions",
      variables: { name: "Ada" },
    };
    expect((await send(body)).status).toBe(202);
    await world.platform.contexts.sandbox.log.append([
      {
        stream: streamOf("template", id),
        expected: 0,
        events: [
          {
            id: uuid7(),
            type: "TemplateVersionAdded",
            data: {
              template_id: id,
              slug: "versions",
              version: 2,
              languages: { en: { text: "Hi {{name}}" } },
              variables: { name: { type: "string" } },
              created_at: new Date().toISOString(),
            },
            metadata: { partner: partner.id },
          },
        ],
      },
    ]);
    await until(
      async () =>
        loosely((await stored((await send(body)).body.id))[0]!.data).content.text === "Hi Ada",
    );
    const old = await send({ ...body, template: { slug: "versions", version: 1 } });
    expect(loosely((await stored(old.body.id))[0]!.data).content.text).toBe("Hello Ada");
  });

  test("is scheduled when it has a send_at", async () => {
    const answer = await send({ ...sms, send_at: new Date(Date.now() + 3_600_000).toISOString() });
    expect(answer.body.status).toBe("scheduled");
  });

  test("answers a dry run the same but for the id, says that it was one, and appends nothing", async () => {
    const before = await world.heads();
    const answer = await world.call("POST", "/api/v1/messages?dry_run=true", {
      key: partner.key,
      body: sms,
    });
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({ status: "queued", cost_estimate: "0.0079", dry_run: true });
    expect(answer.body).not.toHaveProperty("id");
    expect(await world.heads()).toBe(before);
  });
});

describe("an idempotency key", () => {
  test("gives the first answer byte for byte, also after a restart and with the key quoted or in the body", async () => {
    const key = newId("req");
    const first = await send(sms, { "idempotency-key": key });
    const again = await send(
      { text: "Hello", to: sms.to, channel: "sms" },
      { "idempotency-key": `"${key}"` },
    );
    await world.restart();
    const third = await send({ ...sms, idempotency_key: key });
    expect([again.status, third.status]).toEqual([202, 202]);
    expect([again.text, third.text]).toEqual([first.text, first.text]);
    expect(
      [first, again, third].map((answer) => answer.headers.get("idempotent-replayed")),
    ).toEqual([null, "true", "true"]);
    expect(await stored(first.body.id)).toHaveLength(1);
  });

  test("refuses another body and names the original", async () => {
    const key = newId("req");
    const first = await send(sms, { "idempotency-key": key });
    const other = await send({ ...sms, text: "Other" }, { "idempotency-key": key });
    expect(other.status).toBe(422);
    expect(other.body).toMatchObject({ code: "idempotency_key_reused", original: first.body.id });
  });

  test("lets at most one of many parallel requests through", async () => {
    const key = newId("req");
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => send(sms, { "idempotency-key": key })),
    );
    const ids = new Set(answers.filter(({ status }) => status === 202).map(({ body }) => body.id));
    expect(ids.size).toBe(1);
    for (const { status, body, headers } of answers)
      if (status !== 202) {
        expect(body.code).toBe("idempotency_in_progress");
        expect(headers.get("retry-after")).toBe("1");
      }
    expect(await stored([...ids][0])).toHaveLength(1);
  });

  test("gives every one of many parallel repetitions the first answer, once there is one", async () => {
    const key = newId("req");
    const first = await send(sms, { "idempotency-key": key });
    const again = await Promise.all(
      Array.from({ length: 20 }, () => send(sms, { "idempotency-key": key })),
    );
    expect(again.map(({ status, text }) => [status, text])).toEqual(
      again.map(() => [202, first.text]),
    );
    const other = await Promise.all(
      [sms, { ...sms, text: "Other" }].map((body) => send(body, { "idempotency-key": key })),
    );
    expect(other.map(({ status }) => status)).toEqual([202, 422]);
  });

  test("is another key for another partner and another environment", async () => {
    const key = newId("req");
    const other = await world.addPartner();
    const one = await send(sms, { "idempotency-key": key });
    const two = await send(sms, { "idempotency-key": key }, other.key);
    expect(two.status).toBe(202);
    expect(two.body.id).not.toBe(one.body.id);
  });

  test("is not claimed by a refused request", async () => {
    const key = newId("req");
    const poor = await world.addPartner({ funds: "0" });
    expect((await send(sms, { "idempotency-key": key }, poor.key)).status).toBe(402);
    await world.fund(poor.id, "10");
    const answer = await until(async () => {
      const retried = await send({ ...sms, text: "another" }, { "idempotency-key": key }, poor.key);
      return retried.status === 202 && retried;
    });
    expect(answer.headers.get("idempotent-replayed")).toBeNull();
  });

  test("is replayed although the wallet is empty by now", async () => {
    const key = newId("req");
    const poor = await world.addPartner({ funds: "0.008" });
    const first = await send(sms, { "idempotency-key": key }, poor.key);
    expect((await send(sms, {}, poor.key)).status).toBe(402);
    expect((await send(sms, { "idempotency-key": key }, poor.key)).text).toBe(first.text);
  });

  test("must be visible ASCII of at most 255 characters, the same in header and body", async () => {
    for (const key of ["a b", "x".repeat(256), '""'])
      expect((await send(sms, { "idempotency-key": key })).body.code).toBe("invalid_request");
    expect(
      (await send({ ...sms, idempotency_key: "one" }, { "idempotency-key": "two" })).body.code,
    ).toBe("invalid_request");
    expect((await send({ ...sms, idempotency_key: 1 })).body.code).toBe("invalid_request");
    // Each is told of where it stands.
    const blank = { ...sms, idempotency_key: "a b" };
    const inBody = await send(blank);
    const ofItem = await world.call("POST", "/api/v1/messages/batch", {
      key: partner.key,
      body: { messages: [blank] },
    });
    const { path } = ofItem.body.data[0].error.errors[0];
    expect([inBody.body.errors[0].path, path]).toEqual(["idempotency_key", "idempotency_key"]);
  });
});

describe("funds", () => {
  test("for fifty accept exactly fifty of a hundred parallel sends", async () => {
    const poor = await world.addPartner({ funds: "0.395" });
    const answers = await Promise.all(Array.from({ length: 100 }, () => send(sms, {}, poor.key)));
    const count = (status: number): number =>
      answers.filter((answer) => answer.status === status).length;
    expect([count(202), count(402)]).toEqual([50, 50]);
    expect(answers.find(({ status }) => status === 402)!.body).toMatchObject({
      code: "insufficient_funds",
      cost: "0.0079",
      currency: "USD",
    });
  });

  test("that the wallet has held are not counted twice", async () => {
    const poor = await world.addPartner({ funds: "0.0158" });
    const first = await send(sms, {}, poor.key);
    await world.platform.contexts.sandbox.log.append([
      {
        stream: streamOf("wallet", poor.id),
        expected: "any",
        events: [
          {
            id: uuid7(),
            type: "FundsHeld",
            data: {
              covers: "1",
              available: "0.0079",
              held: "0.0079",
              currency: "USD",
              entries: [{ message_id: first.body.id, amount: "0.0079" }],
            },
            metadata: { partner: poor.id },
          },
        ],
      },
    ]);
    await until(async () => (await send(sms, {}, poor.key)).status === 202);
    expect((await send(sms, {}, poor.key)).status).toBe(402);
  });
});

describe("Prefer: wait", () => {
  test("answers 200 when the provider took the message and 202 when it did not in time", async () => {
    const waiting = send(sms, { prefer: "wait=10", "idempotency-key": "waits" });
    const id = deterministicId("msg", "sandbox", partner.id, "waits");
    await until(async () => (await stored(id)).length === 1);
    await world.platform.contexts.sandbox.log.append([
      {
        stream: streamOf("message", id),
        expected: 0,
        events: [
          {
            id: uuid7(),
            type: "MessageSent",
            metadata: { partner: partner.id },
            data: {
              message_id: id,
              message: { channel: "sms", to: sms.to },
              attempt: 1,
              attempt_id: newId("atp"),
              gateway: "sim-sms",
              gateway_kind: "simulator",
              choice: { reason: "only one" },
              provider: { name: "simulator", message_id: "p1", status: "accepted" },
              cost: "0.0079",
              currency: "USD",
            },
          },
        ],
      },
    ]);
    const answer = await waiting;
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ id, status: "sent", provider: { message_id: "p1" } });
    const late = await send(sms, { prefer: "wait=1" });
    expect(late.status).toBe(202);
  });
});

describe("a batch", () => {
  test("gives each item its own result in order", async () => {
    const key = newId("req");
    const messages = [
      sms,
      { ...sms, to: "nobody" },
      { ...sms, idempotency_key: key },
      { channel: "sms" },
      { ...sms, idempotency_key: key },
    ];
    const answer = await world.call("POST", "/api/v1/messages/batch", {
      key: partner.key,
      body: { messages },
    });
    expect(answer.status).toBe(207);
    expect(answer.body).toMatchObject({ accepted: 3, refused: 2 });
    expect(answer.body.data.map((item: { status_code: number }) => item.status_code)).toEqual([
      202, 422, 202, 422, 202,
    ]);
    expect(answer.body.data[1].error).toMatchObject({
      code: "invalid_request",
      errors: [{ path: "to" }],
    });
    const [, , first, , twin] = answer.body.data;
    expect(twin).toEqual({ ...first, index: 4, replayed: true });
    expect(await stored(first.message.id)).toHaveLength(1);
    expect(await stored(answer.body.data[0].message.id)).toHaveLength(1);
    expect(answer.headers.get("log-position")).toMatch(/^\d{16}$/);
  });

  test("with a key of its own is replayed byte for byte", async () => {
    const headers = { "idempotency-key": newId("req") };
    const body = { messages: [sms, { ...sms, text: "two" }] };
    const first = await world.call("POST", "/api/v1/messages/batch", {
      key: partner.key,
      body,
      headers,
    });
    const again = await world.call("POST", "/api/v1/messages/batch", {
      key: partner.key,
      body,
      headers,
    });
    expect([again.text, again.headers.get("idempotent-replayed")]).toEqual([first.text, "true"]);
    expect(first.headers.get("idempotent-replayed")).toBeNull();
  });

  test("of a thousand is one append", async () => {
    const started = performance.now();
    const messages = Array.from({ length: 1_000 }, (_, index) => ({ ...sms, text: `n ${index}` }));
    const answer = await world.call("POST", "/api/v1/messages/batch", {
      key: partner.key,
      body: { messages },
    });
    expect(answer.body).toMatchObject({ accepted: 1_000, refused: 0 });
    expect(performance.now() - started).toBeLessThan(5_000);
    const none = await world.call("POST", "/api/v1/messages/batch", {
      key: partner.key,
      body: { messages: [...messages, sms] },
    });
    expect(none.status).toBe(422);
  });
});
