import { until, webhookSink } from "@heliograph/testkit";
import { Webhook } from "standardwebhooks";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { example, openSetting, reached, send, timelineWith, type Setting } from "./setting.ts";

describe("the life of the example message", () => {
  let setting: Setting;
  beforeAll(async () => {
    setting = await openSetting();
  }, 60_000);

  it("is accepted, delivered, paid and reported to a signed webhook and the feed", async () => {
    const { sandbox } = setting;
    const sink = await webhookSink();
    onTestFinished(() => sink.close());
    const endpoint = await sandbox.post("/webhook-endpoints", { url: `${sink.url}/hook` });
    expect(endpoint.status).toBe(201);
    expect(endpoint.body).toMatchObject({
      id: expect.stringMatching(/^whe_/),
      status: "enabled",
      secret: expect.stringMatching(/^whsec_/),
    });
    const before = (await sandbox.get("/balance")).body;

    const accepted = await sandbox.post("/messages", example);
    expect(accepted.status).toBe(202);
    expect(accepted.body).toMatchObject({
      id: expect.stringMatching(/^msg_[0-9A-HJKMNP-TV-Z]{26}$/),
      status: "queued",
      channel: "whatsapp",
      cost_estimate: "0.012",
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/),
      environment: "sandbox",
      currency: "USD",
      to: "+15551234567",
      segments: { count: 1, encoding: "none", characters: 75 },
    });
    expect(accepted.headers.get("log-position")).toMatch(/^\d+$/);
    const { id } = accepted.body;
    const message = await reached(sandbox, id, "delivered");
    expect(message).toMatchObject({
      cost: "0.012",
      attempts: 1,
      provider: { gateway: "sim-whatsapp" },
    });

    await until(async () => {
      const { available, held } = (await sandbox.get("/balance")).body;
      return held === "0" && Number(before.available) - Number(available) > 0.0119;
    });
    const transactions = (await sandbox.get("/wallet/transactions?limit=5")).body.data;
    expect(transactions.slice(0, 2)).toMatchObject([
      { kind: "capture", amount: "0.012", message_id: id },
      { kind: "hold", amount: "0.012", message_id: id },
    ]);
    const proof = (await sandbox.get("/wallet/proof")).body;
    expect(proof).toMatchObject({ matches: true, holds_open: 0 });

    await until(() => sink.requests.length === 3, { what: "queued, sent and delivered arrive" });
    const webhook = new Webhook(endpoint.body.secret);
    const received = sink.requests.map(({ headers, body }) => {
      expect(headers["content-type"]).toMatch(/^application\/json/);
      // Throws when the signature or the time is not right.
      const event = webhook.verify(body, headers as Record<string, string>) as LifecycleEvent;
      expect(headers["webhook-id"]).toBe(event.id);
      return event;
    });
    expect(received.map(({ type }) => type).toSorted()).toEqual([
      "message.delivered",
      "message.queued",
      "message.sent",
    ]);
    const feed = (await sandbox.get("/events?after=0&limit=100")).body;
    const events = feed.data as LifecycleEvent[];
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
    expect(events.map(({ type }) => type)).toEqual([
      "message.queued",
      "message.sent",
      "message.delivered",
    ]);
    // The feed says with each what its reader was told of before; a webhook is the same text for every endpoint.
    const told = received.toSorted((a, b) => a.sequence - b.sequence);
    expect(told.map((event, index) => ({ ...event, previous_sequence: index }))).toEqual(events);
    expect(events[1]!.data).toMatchObject({ message_id: id, channel: "whatsapp", to: example.to });
  });

  it("has a timeline in order of positions that says why", async () => {
    const { sandbox } = setting;
    const id = await send(sandbox, example);
    const events = await timelineWith(sandbox, id, "FundsCaptured");
    const positions = events.map(({ position }) => position);
    expect(positions).toEqual(positions.toSorted());
    expect(events.map(({ type }) => type).slice(0, 3)).toEqual([
      "MessageRequested",
      "FundsHeld",
      "MessageSent",
    ]);
    expect(events.find(({ type }) => type === "MessageSent")?.reason).toMatch(/gateway/);
  });

  it("answers a send that waits once a provider took it", async () => {
    const answer = await setting.sandbox.post("/messages", example, { prefer: "wait=10" });
    expect(answer.status).toBe(200);
    expect(["sent", "delivered"]).toContain(answer.body.status);
  });

  it("can be scheduled and called off, which gives the funds back", async () => {
    const { sandbox } = setting;
    const send_at = new Date(Date.now() + 3_600_000).toISOString();
    const answer = await sandbox.post("/messages", { ...example, send_at });
    expect([answer.status, answer.body.status]).toEqual([202, "scheduled"]);
    const { id } = answer.body;
    await timelineWith(sandbox, id, "FundsHeld");
    const canceled = await sandbox.post(`/messages/${id}/cancel`);
    expect([canceled.status, canceled.body.status]).toEqual([200, "canceled"]);
    await timelineWith(sandbox, id, "FundsReleased");
    expect((await sandbox.post(`/messages/${id}/cancel`)).status).toBe(409);
  });

  it("is accepted once for a key, and the key belongs to its first body", async () => {
    const { sandbox } = setting;
    const key = { "idempotency-key": "order-204821" };
    const answers = await Promise.all([1, 2, 3].map(() => sandbox.post("/messages", example, key)));
    const first = await sandbox.post("/messages", example, key);
    expect(first.headers.get("idempotent-replayed")).toBe("true");
    for (const answer of answers) {
      // While the first runs the others are told to come back.
      expect([202, 409]).toContain(answer.status);
      if (answer.status === 202) expect(answer.text).toBe(first.text);
    }
    const other = await sandbox.post("/messages", { ...example, to: "+15551234568" }, key);
    expect([other.status, other.body.code]).toEqual([422, "idempotency_key_reused"]);
  });
});

type LifecycleEvent = {
  readonly id: string;
  readonly type: string;
  readonly sequence: number;
  readonly data: Record<string, unknown>;
};
