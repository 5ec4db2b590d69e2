import type { Batch, RecordedEvent } from "@heliograph/log";
import { realClock } from "@heliograph/runtime";
import { expect, test } from "vitest";
import { createActive } from "../src/active.ts";
import type { Committer } from "../src/committer.ts";
import { createFeed } from "../src/feed.ts";
import { createFloor } from "../src/floor.ts";
import type { Resumer } from "../src/resume.ts";

const held = (partner: string, position: bigint, ids: readonly string[]): RecordedEvent =>
  ({
    type: "FundsHeld",
    position,
    data: { entries: ids.map((message_id) => ({ message_id })) },
    metadata: { partner },
  }) as unknown as RecordedEvent;
const named = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${name}${index}`);

test("a flood has half of memory, the rest of it becomes rows, and who stands behind it in the feed goes on", async () => {
  const rows = new Set<string>();
  const begun: string[] = [];
  const committer = {
    pump: () => undefined,
    timer: (messageId: string) => void rows.add(messageId),
  } as unknown as Committer;
  const floor = createFloor(0n);
  const active = createActive(
    () => committer,
    floor,
    realClock,
    () => undefined,
  );
  const resumer: Resumer = {
    begin: () => undefined,
    resume: async (looks) => void begun.push(...looks.map(({ messageId }) => messageId)),
  };
  const feed = createFeed({
    resumer,
    committer,
    floor,
    active,
    room: () => 100 - active.size,
    closing: () => false,
    clock: realClock,
    headAtStart: 9n,
    requestBytes: 1_000,
  });
  const [flood, others] = [named("f", 1_000), named("o", 10)];
  await feed.handle({
    events: [held("flooder", 1n, flood), held("other", 2n, others)],
    position: 2n,
  } as unknown as Batch);
  expect(begun.filter((id) => id.startsWith("f"))).toHaveLength(50);
  expect(begun.slice(-10)).toEqual(others);
  // Each is in one place.
  expect([...begun, ...rows].toSorted()).toEqual([...flood, ...others].toSorted());
  expect(floor.position()).toBe(0n);
  for (const id of begun) active.remove(id);
  expect([active.size, active.sizeOf("flooder")]).toEqual([0, 0]);
});
