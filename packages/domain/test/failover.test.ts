import { newId, type EventData } from "@heliograph/contracts";
import { expect, test } from "vitest";
import { beginFailover, evolveFailover, type Failover } from "../src/index.ts";

const origin = {
  message_id: newId("msg"),
  failover: [{ channel: "email", on: ["no_receipt"], after_seconds: 10 }],
} as unknown as EventData<"MessageRequested">;
type Told = readonly [type: string, data: object];
/** The steps after these events: which one counts, and how each stands. */
function after(...events: readonly Told[]): readonly unknown[] {
  const { step, steps } = events.reduce<Failover>(
    (failover, [type, data]) =>
      evolveFailover(failover, { type, data, metadata: {}, recordedAt: 0 } as never),
    beginFailover(origin)!,
  );
  return [step, ...steps.map(({ status }) => status)];
}
const sent = (step: number): Told => ["MessageSent", { step, gateway: "a", provider: {} }];
const told = (type: "MessageDelivered" | "MessageRead", step: number): Told => [type, { step }];
const both = [sent(0), ["FailoverStarted", { step: 1, trigger: "no_receipt" }], sent(1)] as const;

test("the step that was delivered first is the one that counts, whatever is heard of the other one later", () => {
  expect(after(...both)).toEqual([1, "sent", "sent"]);
  // The first channel was late, and the second one has not been heard of: that one is charged.
  expect(after(...both, told("MessageDelivered", 0))).toEqual([0, "delivered", "sent"]);
  for (const [first, other] of [
    [0, 1],
    [1, 0],
  ] as const)
    for (const type of ["MessageDelivered", "MessageRead"] as const)
      expect(after(...both, told("MessageDelivered", first), told(type, other))).toEqual([
        first,
        "delivered",
        "delivered",
      ]);
  // It came back since, and is charged all the same when the other one is read.
  const back: Told = ["MessageBounced", { error: { code: "x" } }];
  const returned = [...both, told("MessageDelivered", 1), back] as const;
  expect(after(...returned, told("MessageRead", 0))).toEqual([1, "delivered", "failed"]);
  // Where the last step had failed, and the first one is known to have arrived after all, it is that.
  const failed: Told = ["DispatchExhausted", { error: { code: "x" } }];
  const lateAfter = [sent(0), both[1], failed, told("MessageDelivered", 0)] as const;
  expect(after(...lateAfter)).toEqual([0, "delivered", "failed"]);
  expect(after(...lateAfter, told("MessageRead", 0))).toEqual([0, "delivered", "failed"]);
});
