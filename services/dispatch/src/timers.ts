import { streamOf } from "@heliograph/contracts";
import { createAlarm } from "@heliograph/runtime";
import type { Active } from "./active.ts";
import type { Committer } from "./committer.ts";
import type { Resumer } from "./resume.ts";
import type { Store } from "./store.ts";

/** Due timers taken at once. */
const MOST_TAKEN = 500;
/** How soon to look again when memory is full. */
const FULL_MS = 250;
/** How soon to look again at a message that is at work for another reason. */
const BUSY_MS = 5_000;

export type Timers = { at(time: number): void; close(): void };

type Options = {
  readonly store: Store;
  readonly resumer: Resumer;
  readonly committer: Committer;
  readonly active: Active;
  readonly room: () => number;
  readonly closing: () => boolean;
  readonly now: () => number;
  readonly broken: (error: unknown) => void;
};

/** Takes due rows in batches; one alarm, set to the earliest of them, wakes it. */
export function createTimers({
  store,
  resumer,
  committer,
  active,
  room,
  closing,
  now,
  broken,
}: Options): Timers {
  let busy = false;
  let asked = false;
  const alarm = createAlarm(ring, now);

  function ring(): void {
    asked = true;
    if (busy || closing()) return;
    busy = true;
    work()
      .catch(broken)
      .finally(() => (busy = false));
  }

  async function work(): Promise<void> {
    while (asked && !closing()) {
      asked = false;
      const limit = Math.min(MOST_TAKEN, room());
      if (limit <= 0) return alarm.at(now() + FULL_MS);
      const taken = await store.takeDue(now(), limit);
      // A message that is at work already is looked at once more later: its row must not be forgotten.
      for (const messageId of taken)
        if (active.has(messageId))
          committer.timer(messageId, { dueAt: now() + BUSY_MS, kind: "waiting" });
      const looks = taken
        .filter((messageId) => !active.has(messageId))
        .map((messageId) => ({
          messageId,
          stream: streamOf("message", messageId),
          mark: undefined,
          due: true,
        }));
      for (const { messageId } of looks) active.add(messageId);
      await resumer.resume(looks);
      if (taken.length === limit) asked = true;
      else {
        const next = await store.nextDue();
        if (next !== undefined) alarm.at(next);
      }
    }
  }

  return { at: (time) => alarm.at(time), close: () => alarm.cancel() };
}
