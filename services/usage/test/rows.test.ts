import { expect, test } from "vitest";
import { loosely } from "@heliograph/testkit";
import { type Life, evolveLife } from "../src/life.ts";
import { addSum, count, isNothing, keysOf, nameOf, newRow, newSum, placeOf } from "../src/rows.ts";

const life: Life = {
  partner: "ptn_1",
  hour: 495_000,
  channel: "sms",
  country: "CH",
  template: "order",
  tags: ["a", "b"],
  currency: "USD",
  segments: 2,
  steps: [],
  failover: undefined,
  price: 12_000n,
  hold: "captured",
  isWrittenOff: false,
  status: "delivered",
  gateway: "main",
  readyAt: 0,
  acceptedToSentMs: 40,
  sentAt: 40,
  sentToDeliveredMs: 900,
};

test("Messages are summed together where they count in the same rows, and only there", () => {
  const others: Partial<Life>[] = [
    { partner: "ptn_2" },
    { hour: life.hour + 1 },
    { channel: "email" },
    { country: "DE" },
    { template: "" },
    { tags: ["a"] },
    { tags: [] },
    { tags: ["b", "a"] },
    { tags: ['a","b'] },
    { tags: ["a\u001fb"] },
    { currency: "CHF" },
    { status: "sent" },
    { gateway: "spare" },
  ];
  const places = [life, ...others.map((other) => ({ ...life, ...other }))].map(placeOf);
  expect(new Set(places).size).toBe(places.length);
  const same: Life = { ...life, segments: 1, price: 1n, readyAt: 5, acceptedToSentMs: undefined };
  expect(placeOf(same)).toBe(placeOf(life));
  expect(keysOf(same).map(nameOf)).toEqual(keysOf(life).map(nameOf));
});

test("A message counts where the step counts on which it ended, and by who took that, whatever is heard of others", () => {
  const message = { channel: "sms", to: "+15551234567" };
  const told = { message_id: "msg_1", message, attempt: 1, provider: { name: "a" } };
  const step = { channel: "email", price: { country: "" }, segments: { count: 1 }, cost: "1" };
  const first = { ...step, channel: "sms", price: { country: "US" }, content: {} };
  const data = { message_id: "msg_1", created_at: "2026-01-01T00:00:00.000Z", failover: [step] };
  const events = [
    ["MessageRequested", { ...first, ...data, currency: "USD" }],
    ["MessageSent", { ...told, gateway: "one", cost: "1", settles: false }],
    ["FailoverStarted", { ...told, step: 1, trigger: "no_receipt" }],
    ["MessageSent", { ...told, gateway: "two", step: 1, cost: "1", settles: false }],
    ["MessageDelivered", { ...told, gateway: "one", step: 0 }],
    ["MessageSettled", { ...told, step: 0, cost: "1" }],
    ["MessageRead", { ...told, gateway: "two", step: 1 }],
  ] as const;
  let after: Life | undefined;
  const seen = events.map(([type, own], at) => {
    const metadata = { partner: "ptn_1" };
    const event = loosely({ type, data: own, metadata, recordedAt: at, position: BigInt(at) });
    after = evolveLife(after, event, (_, __, names) => names);
    return `${after!.channel} ${after!.gateway}`;
  });
  const isFirst = "sms one";
  expect(seen).toEqual(["sms ", isFirst, "email one", "email two", isFirst, isFirst, isFirst]);
});

test("What is summed first and added then is what each message adds, and what comes and goes is nothing", () => {
  const sum = newSum();
  count(sum, life, 1);
  count(sum, { ...life, sentToDeliveredMs: 40_000 }, 1);
  const row = newRow(keysOf(life)[0]!);
  addSum(row, sum);
  addSum(row, sum);
  expect(row).toMatchObject({ messages: 4, segments: 8, costMicros: 48_000n });
  expect([...row.toSent.values()]).toEqual([4]);
  expect([...row.toDelivered.values()]).toEqual([2, 2]);
  count(sum, life, -1);
  expect(isNothing(sum)).toBe(false);
  count(sum, { ...life, sentToDeliveredMs: 40_000 }, -1);
  expect(isNothing(sum)).toBe(true);
});
