import { validateEvent, streamOf } from "@heliograph/contracts";
import { openMemoryLog } from "@heliograph/log";
import { expect, test, vi } from "vitest";
import { recordReceipts, type Receipt } from "../src/index.ts";
import { attemptOf } from "./support.ts";

const { messageId } = attemptOf("+15550000001");
const receipt = (
  event: string,
  status: Receipt["status"] = "delivered",
  gateway = "one",
): { receipt: Receipt; partner: string } => ({
  partner: "ptn_one",
  receipt: {
    message_id: messageId,
    gateway,
    provider_message_id: "p1",
    provider_event_id: event,
    status,
    occurred_at: "2026-05-23T14:22:17Z",
  },
});
const stored = async (log: ReturnType<typeof openMemoryLog>) =>
  (await log.readStream(streamOf("receipts", messageId))).map(({ data }) => data.provider_event_id);

test("one event per provider event, however often, together or apart, it is reported", async () => {
  const log = openMemoryLog({ validate: validateEvent });
  expect(await recordReceipts(log, [receipt("a"), receipt("a"), receipt("b", "sent")])).toBe(2);
  expect(await recordReceipts(log, [receipt("a"), receipt("c"), receipt("b")])).toBe(1);
  expect(await recordReceipts(log, [receipt("a"), receipt("b"), receipt("c")])).toBe(0);
  expect(await stored(log)).toEqual(["a", "b", "c"]);
  // The same provider event id of another gateway is another event.
  expect(await recordReceipts(log, [receipt("a", "delivered", "two")])).toBe(1);
  const append = vi.spyOn(log, "append");
  await recordReceipts(log, [receipt("d")], true);
  await recordReceipts(log, [receipt("e")]);
  expect(append.mock.calls.map(([[first]]) => first!.patient)).toContain(true);
  expect(append.mock.calls.at(-1)![0][0]!.patient).toBeUndefined();
  await log.close();
});

test("thirty writers of the same ten receipts, each in its own order, leave ten", async () => {
  const log = openMemoryLog({ validate: validateEvent });
  const names = Array.from({ length: 10 }, (_, index) => `event-${index}`);
  const rotated = (by: number) => [...names.slice(by % 10), ...names.slice(0, by % 10)];
  const added = await Promise.all(
    Array.from({ length: 30 }, (_, writer) =>
      recordReceipts(
        log,
        rotated(writer).map((name) => receipt(name)),
      ),
    ),
  );
  expect(added.reduce((sum, count) => sum + count, 0)).toBe(10);
  expect(new Set(await stored(log))).toEqual(new Set(names));
  expect(await stored(log)).toHaveLength(10);
  await log.close();
});

test("a message with more receipts than a page takes another, and knows the first and the last", async () => {
  const log = openMemoryLog({ validate: validateEvent });
  const names = Array.from({ length: 1_001 }, (_, index) => `event-${index}`);
  for (const part of [names.slice(0, 1_000), names.slice(1_000)])
    await recordReceipts(
      log,
      part.map((name) => receipt(name)),
    );
  const again = [receipt("event-0"), receipt("event-1000"), receipt("another")];
  expect(await recordReceipts(log, again)).toBe(1);
  expect(await stored(log)).toEqual([...names, "another"]);
  await log.close();
});
