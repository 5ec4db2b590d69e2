import type { Checkpoint } from "@heliograph/runtime";
import { until } from "@heliograph/testkit";
import { expect, test } from "vitest";
import type { Job } from "../src/job.ts";
import { Health } from "../src/health.ts";
import { Tally } from "../src/tally.ts";
import { newSlot, Window } from "../src/window.ts";

const jobOf = (id: string): Job => ({
  id,
  endpointId: "whe_1",
  partner: "ptn_1",
  eventId: "evt_1",
  type: "message.sent",
  position: 1n,
  sequence: 1,
  body: "{}",
  createdAt: 0,
  attempts: [],
  slot: undefined,
  stored: false,
  tries: 1,
  urgent: false,
  replay: undefined,
  batch: undefined,
  traceparent: undefined,
  subject: undefined,
  held: false,
});

test("after a write that failed no later one moves the checkpoint past what it would have stored", async () => {
  const positions: bigint[] = [];
  let tries = 0;
  const checkpoint: Checkpoint = {
    position: 0n,
    dealt: () => undefined,
    commit(position) {
      if (tries++ === 0) return Promise.reject(new Error("the connection was lost"));
      positions.push(position);
      return Promise.resolve();
    },
  };
  const failures: unknown[] = [];
  const window = new Window(
    checkpoint,
    (error) => failures.push(error),
    new Tally(),
    new Health(Infinity, []),
    {
      pending: () => undefined,
      moved: () => undefined,
      mayRelease: () => false,
    },
  );
  const deliver = (id: string, position: bigint): void => {
    const job = jobOf(id);
    const slot = newSlot(position, performance.now());
    slot.unresolved.add(job);
    job.slot = slot;
    window.push(slot);
    window.record(job, "pending", 0);
  };
  deliver("whd_1", 5n);
  await until(() => failures.length > 0);
  // An answer that comes before the consumer is stopped.
  deliver("whd_2", 6n);
  await expect(window.flush()).rejects.toThrow("lost");
  await expect(window.room()).rejects.toThrow("lost");
  expect(positions).toEqual([]);
  window.close();
});

test("deliveries that get no answer for a second hold up no batch of that second", async () => {
  const window = new Window(
    { position: 0n, dealt: () => undefined, commit: () => Promise.resolve() },
    () => undefined,
    new Tally(),
    new Health(Infinity, []),
    {
      pending: () => undefined,
      moved: () => undefined,
      mayRelease: () => false,
    },
  );
  // One batch a millisecond, each with one delivery that waits.
  for (let index = 1; index <= 1_000; index++) {
    const slot = newSlot(BigInt(index), performance.now());
    slot.unresolved.add(jobOf(`whd_${index}`));
    window.push(slot);
  }
  let room = false;
  void window.room().then(() => (room = true));
  await Promise.resolve();
  expect(room).toBe(true);
  window.close();
});
