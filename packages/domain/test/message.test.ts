import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  acceptedView,
  foldMessage,
  joinStatus,
  messageDetail,
  messageView,
  statuses,
  weighRequest,
  type FoldableEvent,
} from "@heliograph/domain";
import type { EventData } from "@heliograph/contracts";

const message = { channel: "whatsapp" as const, to: "+15551234567" };
const id = "msg_01HNQX2P8Y9R3T4V5W6Z7A8B9C";
const request: EventData<"MessageRequested"> = {
  message_id: id,
  ...message,
  content: { text: "Hi" },
  category: "transactional",
  priority: 1,
  expires_at: "2026-05-24T14:22:17.000Z",
  cost: "0.012",
  currency: "USD",
  price: { list: "standard", version: 1, country: "US", per_segment: "0.012" },
  segments: { count: 1, encoding: "none", characters: 2 },
  created_at: "2026-05-23T14:22:17.000Z",
};
const createdAt = Date.parse(request.created_at);
const provider = { name: "sim", message_id: "p-1", status: "accepted" };
const error = { code: "recipient_unreachable", class: "recipient", permanent: true };
const refund = { amount: "0.012", currency: "USD", transaction_id: "wtx_1" };

function stream(...events: readonly (readonly [string, object])[]): FoldableEvent[] {
  return events.map(([type, data], revision) => ({
    position: BigInt(10 + revision),
    revision,
    type,
    data,
    metadata: { partner: "ptn_1" },
    recordedAt: createdAt + revision * 1000,
  })) as unknown as FoldableEvent[];
}
const requested = ["MessageRequested", request] as const;
const sent = [
  "MessageSent",
  { message_id: id, attempt: 1, gateway: "sim-whatsapp", provider },
] as const;
const fold = (...events: (readonly [string, object])[]) => foldMessage(stream(...events))!;

describe("the status of a message", () => {
  it("is a join: commutative, associative and idempotent", () => {
    const status = fc.constantFrom(...statuses);
    fc.assert(
      fc.property(status, status, status, (a, b, c) => {
        expect(joinStatus(a, b)).toBe(joinStatus(b, a));
        expect(joinStatus(a, joinStatus(b, c))).toBe(joinStatus(joinStatus(a, b), c));
        expect(joinStatus(a, a)).toBe(a);
      }),
    );
  });

  it("begins as queued, or as scheduled when it has a time", () => {
    expect(fold(requested).status).toBe("queued");
    expect(
      fold(["MessageRequested", { ...request, send_at: "2026-06-01T00:00:00.000Z" }]).status,
    ).toBe("scheduled");
  });

  it("is never lowered by late evidence, which is still folded", () => {
    const state = fold(
      requested,
      sent,
      ["MessageDelivered", {}],
      ["MessageFailed", { error, refund }],
    );
    expect(state).toMatchObject({ status: "delivered", error, refund, revision: 3, position: 13n });
  });

  it("stays while a failure waits for its refund, and the charge is gone at once", () => {
    const state = fold(requested, sent, ["DeliveryFailed", { error }]);
    expect(state).toMatchObject({ status: "sent", failing: "DeliveryFailed", charged: false });
  });
});

describe("the fold of a message", () => {
  it("gives nothing without its first event, and ignores types it does not know and events it has seen", () => {
    expect(foldMessage(stream(sent))).toBeUndefined();
    const events = stream(requested, sent, ["SomethingNew", {}]);
    expect(foldMessage([...events, ...events])).toEqual(foldMessage(events));
    expect(foldMessage(events)).toMatchObject({ status: "sent", revision: 2 });
  });

  it("counts attempts, those without an outcome included", () => {
    const failed = { message_id: id, attempt: 1, error };
    const uncertain = { message_id: id, attempt: 2 };
    const state = fold(
      requested,
      ["DispatchAttemptFailed", failed],
      ["DispatchUncertain", uncertain],
      ["MessageSent", { attempt: 3, gateway: "g", provider }],
    );
    expect(state).toMatchObject({ attempts: 3, sentAttempt: 3, status: "sent" });
  });
});

describe("the views of a message", () => {
  it("show the contract's keys in its order", () => {
    const view = messageView(
      fold(requested, sent, ["MessageDelivered", { at: "2026-05-23T14:22:20.000Z" }]),
      "live",
    );
    expect(Object.keys(view)).toEqual([
      "id",
      "status",
      "channel",
      "to",
      "environment",
      "cost",
      "cost_estimate",
      "currency",
      "segments",
      "provider",
      "attempts",
      "retry_count",
      "client_ref",
      "metadata",
      "tags",
      "sent_at",
      "delivered_at",
      "created_at",
      "updated_at",
    ]);
    expect(view).toMatchObject({
      cost: "0.012",
      provider: {
        gateway: "sim-whatsapp",
        name: "sim",
        message_id: "p-1",
        status: "accepted",
      },
      retry_count: 0,
      sent_at: "2026-05-23T14:22:18.000Z",
      delivered_at: "2026-05-23T14:22:20.000Z",
      client_ref: null,
      metadata: {},
      tags: [],
      created_at: "2026-05-23T14:22:17.000Z",
      updated_at: "2026-05-23T14:22:19.000Z",
    });
  });

  it("cost nothing before the message is sent and after the refund", () => {
    expect(messageView(fold(requested), "live")).toMatchObject({
      cost: "0",
      cost_estimate: "0.012",
    });
    const failed = fold(
      requested,
      sent,
      ["DeliveryFailed", { error }],
      ["MessageFailed", { error, refund }],
    );
    expect(messageView(failed, "live")).toMatchObject({
      status: "failed",
      cost: "0",
      error,
      refund,
    });
  });

  it("tell of a bounce what the receiving server said, and of retries how many there were", () => {
    const bounced = fold(
      requested,
      ["DispatchAttemptFailed", { attempt: 1, error }],
      ["MessageSent", { attempt: 2, gateway: "g", provider }],
      ["MessageBounced", { error, diagnostic: "550 5.1.1 no such user" }],
    );
    expect(messageView(bounced, "live")).toMatchObject({
      status: "bounced",
      bounce: { diagnostic: "550 5.1.1 no such user" },
      attempts: 2,
      retry_count: 1,
    });
    expect(messageView(fold(requested), "live")).not.toHaveProperty("sent_at");
  });

  it("show what was accepted where one message is asked for, and not in lists", () => {
    const template = { id: "tpl_1", slug: "s", version: 2, language: "en", variables: { a: 1 } };
    const event = { ...request, from: "Shop", content: { text: "Hi", template } };
    const state = fold(["MessageRequested", event]);
    expect(messageDetail(state, "live")).toMatchObject({
      from: "Shop",
      content: {
        text: "Hi",
        template: { slug: "s", version: 2, language: "en", variables: { a: 1 } },
      },
    });
    expect(messageView(state, "live")).not.toHaveProperty("content");
  });

  it("show an error only where the status is one", () => {
    const recovered = fold(
      requested,
      ["DispatchAttemptFailed", { attempt: 1, error }],
      ["MessageSent", { attempt: 2, gateway: "g", provider }],
    );
    expect(messageView(recovered, "live")).not.toHaveProperty("error");
  });

  it("of acceptance follow from the request alone", () => {
    expect(JSON.stringify(acceptedView(request, "sandbox"))).toBe(
      `{"id":"${id}","status":"queued","channel":"whatsapp","cost_estimate":"0.012","created_at":"2026-05-23T14:22:17.000Z","environment":"sandbox",` +
        '"currency":"USD","segments":{"count":1,"encoding":"none","characters":2},"to":"+15551234567"}',
    );
  });
});

it("A request weighs what its content weighs, variables of other languages included", () => {
  const weight = (content: (typeof request)["content"]) => weighRequest({ ...request, content });
  const template = { id: "tpl_1", slug: "t", version: 1, language: "en" };
  const long = "x".repeat(100_000);
  expect(weight({ text: "Hi" })).toBeLessThan(4_096);
  for (const content of [
    { text: long },
    { html: long },
    { text: "Hi", template: { ...template, variables: { unused: long } } },
  ])
    expect(weight(content)).toBeGreaterThan(200_000);
});
