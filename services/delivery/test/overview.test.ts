import { foldMessage, type MessageState } from "@heliograph/domain";
import { expect, test } from "vitest";
import { Kept } from "../src/kept.ts";
import { failuresOf, latenciesOf, minutesOf, percentilesOf, readSample } from "../src/overview.ts";
import { exhausted, requestOf, requested, sent } from "./facts.ts";

const stateOf = (changes: Parameters<typeof requestOf>[1], ...more: object[]): MessageState => {
  const request = requestOf("msg_1", changes);
  const events = [requested(request), ...more].map((event, revision) => ({
    ...event,
    position: BigInt(revision + 1),
    revision,
    recordedAt: Date.parse(request.created_at) + revision * 250,
  }));
  return foldMessage(events as Parameters<typeof foldMessage>[0])!;
};

test("every minute of a window has its row, and a message counts where it was accepted", () => {
  const rows = minutesOf(
    [
      { minute: 11, status: "delivered", messages: 3 },
      { minute: 11, status: "failed", messages: 2 },
      { minute: 12, status: "canceled", messages: 1 },
      { minute: 13, status: "sent", messages: 4 },
      { minute: 99, status: "read", messages: 9 },
    ],
    10,
    4,
  );
  const row = (
    minute: number,
    accepted: number,
    delivered: number,
    under_way: number,
    lost: number,
  ) => ({
    minute,
    accepted,
    delivered,
    under_way,
    lost,
  });
  expect(rows).toEqual([
    row(10, 0, 0, 0, 0),
    row(11, 5, 3, 0, 2),
    row(12, 1, 0, 0, 0),
    row(13, 4, 0, 4, 0),
  ]);
});

test("a percentile is a value that was measured, and there is none of nothing", () => {
  expect(percentilesOf([])).toEqual({ measured: 0, p50: null, p95: null, p99: null });
  expect(percentilesOf([30, 10, 20])).toEqual({ measured: 3, p50: 20, p95: 30, p99: 30 });
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(percentilesOf(hundred)).toEqual({ measured: 100, p50: 50, p95: 95, p99: 99 });
});

test("how long it took begins when it could be sent", () => {
  const at = "2026-05-23T14:22:17.000Z";
  const request = requestOf("msg_1", { created_at: at });
  const now = stateOf({ created_at: at }, sent(request));
  const scheduled = stateOf({ created_at: at, send_at: "2026-05-23T14:22:17.200Z" }, sent(request));
  expect(latenciesOf([now, scheduled]).accepted_to_sent).toMatchObject({ p50: 50, p95: 250 });
  expect(latenciesOf([now]).sent_to_delivered.measured).toBe(0);
});

test("reasons are counted, the most frequent first", () => {
  const failed = stateOf({}, exhausted(requestOf("msg_1")));
  const expired = { ...stateOf({}), status: "expired" as const };
  expect(failuresOf([expired, failed, failed])).toEqual([
    { code: "recipient_unreachable", messages: 2 },
    { code: "expired", messages: 1 },
  ]);
});

test("large messages end a sample early", async () => {
  let reads = 0;
  const readStreams = async (names: readonly string[]) => {
    reads += 1;
    const large = requested(requestOf("msg_1", { content: { html: "x".repeat(400_000) } }));
    const event = { ...large, position: 1n, revision: 0, recordedAt: 0 };
    return new Map(names.map((name) => [name, [event]]));
  };
  const ids = Array.from({ length: 100 }, (_, index) => `msg_${index}`);
  const log = { readStreams } as unknown as Parameters<typeof readSample>[0];
  expect(await readSample(log, ids)).toHaveLength(25);
  expect(reads).toBe(1);
});

test("what takes long is made once for all that ask at once and for a while, and again where it is not enough", async () => {
  let [made, at] = [0, 0];
  const kept = new Kept<number>({ ms: 3_000, most: 2, now: () => at });
  const make = async (): Promise<number> => (made += 1);
  const any = (): boolean => true;
  const get = (key = "a", enough: (value: number) => boolean = any) => kept.get(key, make, enough);
  expect(await Promise.all([get(), get(), get()])).toEqual([1, 1, 1]);
  at = 2_999;
  expect(await get()).toBe(1);
  at = 3_000;
  expect(await get()).toBe(2);
  // Two that need a newer one share it.
  const newer = (value: number): boolean => value > 2;
  expect(await Promise.all([get("a", newer), get("a", newer)])).toEqual([3, 3]);
  // The oldest goes where there is no room.
  await get("b");
  await get("c");
  expect([await get("c"), await get("b"), await get("a")]).toEqual([5, 4, 6]);
  // A failure is nobody's answer but of those that waited for it.
  await expect(kept.get("d", () => Promise.reject(new Error("away")), any)).rejects.toThrow("away");
  expect(await get("d")).toBe(7);
});
