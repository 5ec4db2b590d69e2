import { describe, expect, it } from "vitest";
import { eventPublicId, newId, uuid5 } from "@heliograph/contracts";
import {
  lifecycleBody,
  lifecycleSubject,
  lifecycleSources,
  lifecycleTypeOf,
  lifecycleTypes,
  sampleLifecycle,
  toLifecycle,
  type LifecycleSource,
  type LifecycleType,
} from "../src/lifecycle.ts";
import { lifecycleData } from "../src/lifecycle-data.ts";
import { createSequencer } from "../src/sequencer.ts";

const message = { channel: "sms", to: "+15551234567" };
const recorded = (type: string, data: object, partner = "ptn_A"): LifecycleSource =>
  ({
    id: uuid5(type, partner),
    type,
    data: { message_id: "msg_1", ...data },
    metadata: { partner },
    recordedAt: Date.UTC(2026, 4, 23, 14, 22, 17),
  }) as unknown as LifecycleSource;

describe("the lifecycle mapping", () => {
  it("names a message scheduled when it has a time, else queued", () => {
    expect(lifecycleTypeOf(recorded("MessageRequested", message))).toBe("message.queued");
    expect(
      lifecycleTypeOf(
        recorded("MessageRequested", { ...message, send_at: "2026-06-01T00:00:00.000Z" }),
      ),
    ).toBe("message.scheduled");
  });

  it("shows the provider's message id and status when a message was sent", () => {
    const event = toLifecycle(
      recorded("MessageSent", {
        message: { ...message, client_ref: "order-1", metadata: { a: 1 } },
        gateway: "sim-sms",
        provider: { name: "simulator", message_id: "p-1", status: "accepted" },
        attempt: 1,
        cost: "0.012",
        currency: "USD",
      }),
      "live",
    )!;
    expect(event.type).toBe("message.sent");
    expect(event.data).toMatchObject({
      message_id: "msg_1",
      client_ref: "order-1",
      metadata: { a: 1 },
      provider: { message_id: "p-1", status: "accepted" },
    });
  });

  it("tells that a message was sent again by another message.sent, and leaves out those of before it was told", () => {
    const again = {
      message,
      gateway: "sim-email",
      provider: { name: "simulator", message_id: "p-2", status: "accepted" },
      attempt: 2,
    };
    const event = toLifecycle(
      recorded("MessageResent", { ...again, cost: "0.012", currency: "USD" }),
      "live",
    )!;
    expect(event).toMatchObject({
      type: "message.sent",
      data: { provider: { message_id: "p-2" }, attempt: 2, cost: "0.012" },
    });
    expect(lifecycleTypeOf(recorded("MessageResent", again))).toBeUndefined();
  });

  it("says who confirmed delivery and in which words, and changes nothing in events that do not", () => {
    const data = {
      message,
      gateway: "g",
      provider_message_id: "p",
      at: "2026-05-23T14:22:17.000Z",
    };
    const confirmed = { ...data, provider: { name: "simulator", status: "delivered" } };
    expect(toLifecycle(recorded("MessageDelivered", confirmed), "live")!.data["provider"]).toEqual({
      gateway: "g",
      name: "simulator",
      message_id: "p",
      status: "delivered",
    });
    expect(toLifecycle(recorded("MessageRead", data), "live")!.data["provider"]).toEqual({
      gateway: "g",
      message_id: "p",
    });
  });

  it("says what a message that came to nothing costs, where it costs something", () => {
    const refund = { amount: "0", currency: "USD", transaction_id: "wtx_1" };
    for (const [type, data] of [
      ["MessageFailed", { refund }],
      ["MessageExpired", { currency: "USD" }],
      ["MessageRejected", { currency: "USD" }],
    ] as const) {
      const told = (more: object) =>
        toLifecycle(recorded(type, { message, ...data, ...more }), "live")!.data;
      expect(told({ charge: "0.012" })).toMatchObject({ cost: "0.012", currency: "USD" });
      expect(told({})).not.toHaveProperty("cost");
    }
  });

  it("never confirms delivery for a broadcast channel, nor counts it", () => {
    const data = { gateway: "g", provider_message_id: "p", at: "2026-05-23T14:22:17.000Z" };
    const broadcast = recorded("MessageDelivered", {
      ...data,
      message: { ...message, channel: "broadcast" },
    });
    expect(lifecycleTypeOf(broadcast)).toBeUndefined();
    expect(toLifecycle(broadcast, "live")).toBeUndefined();
    expect(lifecycleTypeOf(recorded("MessageDelivered", { ...data, message }))).toBe(
      "message.delivered",
    );
  });

  it("shows nothing of internal events and of events without a partner", () => {
    expect(toLifecycle(recorded("FundsHeld", {}), "live")).toBeUndefined();
    expect(toLifecycle(recorded("constructor", {}), "live")).toBeUndefined();
    const { metadata: _, ...rest } = recorded("MessageCanceled", { message });
    expect(toLifecycle({ ...rest, metadata: {} }, "live")).toBeUndefined();
  });

  it("writes the body in the contract's key order, with nulls for what the partner left out", () => {
    const source = recorded("MessageCanceled", { message });
    const body = lifecycleBody(toLifecycle(source, "sandbox")!, 7);
    expect(body).toBe(
      `{"id":"${eventPublicId(source.id)}","type":"message.canceled","timestamp":"2026-05-23T14:22:17.000Z","environment":"sandbox","sequence":7,"data":{"message_id":"msg_1","channel":"sms","to":"+15551234567","client_ref":null,"metadata":{}}}`,
    );
  });

  it("has a sample of every type, marked as a test", () => {
    for (const type of Object.keys(lifecycleTypes) as LifecycleType[]) {
      const sample = sampleLifecycle(
        type,
        { id: uuid5(type), partner: "ptn_A", recordedAt: 0 },
        "sandbox",
      );
      expect(JSON.parse(lifecycleBody(sample, 0))).toMatchObject({ type, data: { test: true } });
    }
    // `message.queued` and `message.sent` come of two events each, one event gives two types, and one only moves their numbers.
    expect(lifecycleSources).toHaveLength(Object.keys(lifecycleTypes).length + 2);
  });

  it("gives each type the data that its schema documents, and no field more", () => {
    const context = { message: { ...message, client_ref: "order-1", metadata: { a: 1 } } };
    const price = { cost: "0.012", currency: "USD" };
    const error = { code: "c", class: "provider", permanent: true, provider: { name: "p" } };
    const at = "2026-05-23T14:22:17.000Z";
    const request = {
      ...message,
      ...price,
      segments: { count: 1, encoding: "GSM-7", characters: 5 },
    };
    const confirmed = {
      ...context,
      gateway: "g",
      provider_message_id: "p",
      provider: { name: "simulator", status: "read" },
      at,
    };
    const refund = { amount: "0.012", currency: "USD", transaction_id: newId("wtx") };
    const provider = { name: "simulator", message_id: "p-1", status: "accepted" };
    const gateway = { gateway_id: newId("gtw"), name: "mail", channel: "email", since: at };
    const conversation = { conversation_id: newId("cnv"), contact_id: newId("cnt") };
    const external = { source: "sms", id: "sealed:v1.x", name: "n" };
    const agent = { id: newId("agt"), name: "Ada" };
    const file = {
      contact_id: newId("cnt"),
      channel: "whatsapp",
      attachment_id: newId("att"),
    };
    const merge = { merge_id: newId("mrg"), contact_id: conversation.contact_id };
    const by = { by: { id: agent.id }, reason: "r" };
    const events = (
      [
        ["MessageRequested", request],
        ["MessageRequested", { ...request, send_at: at }],
        ["MessageQueued", { ...context, reason: "due" }],
        ["MessageSent", { ...context, gateway: "g", provider, attempt: 1, ...price }],
        ["MessageResent", { ...context, gateway: "g", provider, attempt: 2, ...price }],
        ["MessageDelivered", confirmed],
        ["MessageRead", confirmed],
        ["MessageFailed", { ...context, error, retry_count: 5, refund, charge: "0.012" }],
        ["MessageBounced", { ...context, error, diagnostic: "550 5.1.1" }],
        [
          "MessageCorrected",
          {
            ...context,
            status: "bounced",
            before: { status: "failed", error },
            reason: "read again",
            gateway: "sim-email",
            provider_message_id: "p-1",
            at,
            error,
            diagnostic: "550 5.1.1",
            refunds: false,
            cost: "0",
            currency: "USD",
          },
        ],
        ["MessageExpired", { ...context, attempts: 1, expires_at: at, ...price, charge: "0.012" }],
        ["MessageRejected", { ...context, error, currency: "USD", charge: "0.012" }],
        ["MessageCanceled", context],
        ["WebhookEndpointDisabled", { endpoint_id: newId("whe"), url: "u", reason: "r" }],
        ["WebhookEndpointEnabled", { endpoint_id: newId("whe"), url: "u" }],
        ["WebhookEndpointFailing", { endpoint_id: newId("whe"), url: "u", since: at, error: "e" }],
        ["WebhookEndpointRecovered", { endpoint_id: newId("whe"), url: "u", since: at }],
        [
          "KeyExpiring",
          {
            key_id: newId("key"),
            name: "worker",
            prefix: "ak_test_7Xq2",
            expires_at: "2026-01-01T00:00:00Z",
            notice_days: 7,
            at: "2025-12-25T00:00:00Z",
          },
        ],
        ["GatewayDegraded", { ...gateway, reason: "failing" }],
        ["GatewayRecovered", gateway],
        ["BalanceLow", { available: "0.99", threshold: "1", currency: "USD" }],
        [
          "MessageReceived",
          {
            ...conversation,
            channel: "email",
            from: "a@b.example",
            to: "c@d.example",
            subject: "s",
            html: "h",
            provider: { gateway: "g", name: "n", message_id: "p" },
            received_at: at,
          },
        ],
        ["ReceivedFileKept", { ...file, type: "image/gif", bytes: 3, kept_at: at }],
        ["ReceivedFileLost", { ...file, reason: "gone", lost_at: at }],
        ["ContactCreated", { contact_id: merge.contact_id, external_ids: [external], name: null }],
        ["InboundContactMatched", { ...conversation, external_id: external }],
        [
          "ContactAbsorbed",
          {
            ...merge,
            merged_id: newId("cnt"),
            moved: { external_ids: 1, conversations: 0, messages: 0 },
          },
        ],
        ["ContactReleased", { ...merge, released_id: newId("cnt") }],
        [
          "ContactErased",
          { contact_id: merge.contact_id, erasure_id: newId("ers"), key_destroyed_at: at },
        ],
        [
          "ConversationOpened",
          { ...conversation, channel: "sms", inbox: "+1", address: external, opened_at: at },
        ],
        [
          "ConversationAssigned",
          {
            ...conversation,
            ...by,
            agent,
            previous_agent: agent,
            team: newId("tea"),
            assigned_at: at,
          },
        ],
        [
          "ConversationUnassigned",
          { ...conversation, ...by, previous_agent: agent, unassigned_at: at },
        ],
        ["ConversationClosed", { ...conversation, ...by, closed_at: at }],
        ["ConversationReopened", { ...conversation, ...by, reopened_at: at }],
        ["ConversationSnoozed", { ...conversation, ...by, until: at, snoozed_at: at }],
        ["ConversationOverdue", { ...conversation, target: "first_response", due_at: at, agent }],
      ] as const
    ).map(([type, data]) =>
      toLifecycle(recorded(type, { message_id: newId("msg"), ...data }), "live")!,
    );
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(Object.keys(lifecycleTypes)));
    for (const { type, data } of events) {
      const schema = lifecycleData[type];
      expect(schema.safeParse(data).error?.issues ?? []).toEqual([]);
      expect(schema.strict().safeParse(data).error?.issues ?? []).toEqual([]);
    }
    for (const type of Object.keys(lifecycleTypes) as LifecycleType[]) {
      const source = { id: uuid5(type), partner: "ptn_A", recordedAt: 0 };
      const { test, ...data } = sampleLifecycle(type, source, "live").data;
      expect(test).toBe(true);
      expect(lifecycleData[type].strict().safeParse(data).error?.issues ?? []).toEqual([]);
    }
  });

  it("names what an event is about, which keeps its events in order", () => {
    const canceled = toLifecycle(recorded("MessageCanceled", { message }), "live")!;
    expect(lifecycleSubject(canceled)).toBe("msg_1");
    const disabled = toLifecycle(
      recorded("WebhookEndpointDisabled", { endpoint_id: "whe_1", url: "u", reason: "r" }),
      "live",
    )!;
    expect(lifecycleSubject(disabled)).toBe("whe_1");
  });
});

describe("the sequencer", () => {
  it("counts every partner apart and without a hole", () => {
    const sequencer = createSequencer([["a", 41]], true);
    expect([sequencer.next("a"), sequencer.next("b"), sequencer.next("a")]).toEqual([42, 1, 43]);
  });

  it("leaves out the numbers that a restore may give twice", () => {
    const sequencer = createSequencer([["a", 41]], true);
    expect([sequencer.raise("a", 100), sequencer.next("a")]).toEqual([141, 142]);
    expect([sequencer.raise("b", 100), sequencer.next("b")]).toEqual([100, 101]);
  });

  it("refuses to guess where an unknown partner stands", () => {
    const sequencer = createSequencer();
    expect(sequencer.knows("a")).toBe(false);
    expect(() => sequencer.next("a")).toThrow("was not loaded");
    sequencer.seed("a", 0);
    expect(sequencer.next("a")).toBe(1);
  });
});
