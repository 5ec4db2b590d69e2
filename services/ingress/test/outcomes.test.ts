import type { RecordedEvent } from "@heliograph/log";
import { expect, test } from "vitest";
import { Outcomes } from "../src/messages/outcomes.ts";

const sent = (message_id: string): RecordedEvent<"MessageSent"> =>
  ({ type: "MessageSent", data: { message_id } }) as RecordedEvent<"MessageSent">;
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
