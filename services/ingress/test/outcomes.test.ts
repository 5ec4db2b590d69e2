import type { RecordedEvent } from "@heliograph/log";
import { expect, test } from "vitest";
import { Outcomes } from "../src/messages/outcomes.ts";

const event = (message_id: string, revision: number, type: string, data: object) =>
  ({
    type,
    stream: `message-${message_id.slice("msg_".length)}`,
    revision,
    position: BigInt(10 + revision),
    recordedAt: 0,
    metadata: { partner: "ptn_1" },
    data: { message_id, ...data },
  }) as unknown as RecordedEvent<"MessageSent">;
const requested = (id: string) => event(id, 0, "MessageRequested", {});
const sent = (id: string) => event(id, 1, "MessageSent", { attempt: 1, provider: {} });
const { signal } = new AbortController();

test("a repetition that waits for nothing leaves the first call its outcome", async () => {
  const outcomes = new Outcomes();
  const first = outcomes.expect("msg_1");
  const second = outcomes.expect("msg_1");
  second.cancel();
  const waiting = first.wait(2_000, signal);
  outcomes.seen(sent("msg_1"));
  expect(await waiting).toBe(true);
});

test("two calls for one message are both woken, and others are not", async () => {
  const outcomes = new Outcomes();
  const both = [outcomes.expect("msg_1"), outcomes.expect("msg_1")];
  const other = outcomes.expect("msg_2");
  const waiting = both.map(({ wait }) => wait(2_000, signal));
  outcomes.seen(sent("msg_1"));
  expect(await Promise.all(waiting)).toEqual([true, true]);
  expect(await other.wait(1, signal)).toBe(false);
});

test("what was uncertain is waited for until its receipt", async () => {
  for (const type of ["MessageDelivered", "MessageRead", "MessageBounced"]) {
    const outcomes = new Outcomes();
    const waiting = outcomes.expect("msg_1").wait(2_000, signal);
    outcomes.seen(event("msg_1", 1, type, {}));
    expect(await waiting, type).toBe(true);
  }
});

test("what a waiting caller is told is what the message's events have made of it", async () => {
  const outcomes = new Outcomes();
  const waiting = outcomes.expect("msg_1");
  const older = outcomes.expect("msg_2");
  outcomes.seen(requested("msg_1"));
  expect(waiting.state?.status).toBe("queued");
  for (const id of ["msg_1", "msg_2"]) outcomes.seen(sent(id));
  expect(await waiting.wait(2_000, signal)).toBe(true);
  expect(waiting.state).toMatchObject({ id: "msg_1", status: "sent", attempts: 1, position: 11n });
  // It was stored before anybody waited: the log has to be read.
  expect(older.state).toBeUndefined();
});
