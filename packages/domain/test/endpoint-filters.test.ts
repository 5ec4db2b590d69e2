import { describe, expect, it } from "vitest";
import { lifecycleFamilies, passesFilters, typesNamed } from "../src/endpoint-filters.ts";
import type { LifecycleSource } from "../src/lifecycle.ts";
import { messageContext } from "../src/message.ts";

const source = (type: string, data: object): LifecycleSource =>
  ({ id: "1", type, data, metadata: { partner: "ptn_1" }, recordedAt: 0 }) as never;
const request = {
  message_id: "msg_1",
  channel: "sms",
  to: "+15551234567",
  tags: ["orders", "vip"],
  metadata: { shop: "acme", order: 5, paid: true },
};
const queued = source("MessageRequested", request);
const sent = source("MessageSent", {
  message_id: "msg_1",
  message: messageContext(request as never),
});
const low = source("BalanceLow", { available: "1", threshold: "2", currency: "USD" });

describe("names of event types", () => {
  it("stand for one type, or with a family for all that begin alike", () => {
    expect([...typesNamed(["message.sent"])]).toEqual(["message.sent"]);
    const messages = typesNamed(["message.*", "wallet.low_balance"]);
    expect(messages.has("message.sent") && messages.has("message.received")).toBe(true);
    expect(messages.has("wallet.low_balance")).toBe(true);
    expect([...messages].some((type) => /^(contact|conversation|key)\./.test(type))).toBe(false);
    expect([...typesNamed(["*", "message", "message.*.x", "toString"])]).toEqual([]);
    expect(lifecycleFamilies).toContain("webhook_endpoint.*");
  });
});

describe("filters of an endpoint", () => {
  it.each([
    ["no filter at all", {}],
    ["its channel", { channels: ["email", "sms"] }],
    ["one of its tags", { tags: ["none", "vip"] }],
    ["a value of its metadata", { metadata: { shop: "acme" } }],
    ["one of several values", { metadata: { shop: ["zeta", "acme"], order: 5, paid: true } }],
    ["all of these", { channels: ["sms"], tags: ["orders"], metadata: { order: [4, 5] } }],
  ] as const)("let a message's events by for %s, the first and the later ones", (_, filters) => {
    expect(passesFilters(filters as never, queued)).toBe(true);
    expect(passesFilters(filters as never, sent)).toBe(true);
  });

  it.each([
    ["another channel", { channels: ["email"] }],
    ["other tags", { tags: ["Orders"] }],
    ["another value", { metadata: { shop: "zeta" } }],
    ["a value of another type", { metadata: { order: "5" } }],
    ["one key of two", { metadata: { shop: "acme", order: 6 } }],
    ["a key that everything inherits", { metadata: { constructor: "x" } }],
    ["one filter of two", { channels: ["sms"], tags: ["none"] }],
  ] as const)("keep a message's events away for %s", (_, filters) => {
    expect(passesFilters(filters as never, queued)).toBe(false);
    expect(passesFilters(filters as never, sent)).toBe(false);
  });

  it("look at the channel of what people write, and keep away what has none", () => {
    const received = source("MessageReceived", { message_id: "msg_2", channel: "whatsapp" });
    expect(passesFilters({ channels: ["whatsapp"] }, received)).toBe(true);
    expect(passesFilters({ channels: ["sms"] }, received)).toBe(false);
    expect(passesFilters({ channels: ["sms"] }, low)).toBe(false);
    expect(passesFilters({ tags: ["vip"] }, low)).toBe(false);
    expect(passesFilters({}, low)).toBe(true);
  });
});
