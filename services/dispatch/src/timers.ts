import { streamOf } from "@heliograph/contracts";
import { createAlarm, type PartnerClock } from "@heliograph/runtime";
import type { Active } from "./active.ts";
import { createCatchUp } from "./catch-up.ts";
import type { Committer } from "./committer.ts";
import { jumped } from "./moment.ts";
import type { Look, Resumer } from "./resume.ts";
import type { DueTimer, Store } from "./store.ts";

/** Due timers taken at once. */
const MOST_TAKEN = 500;
/** How soon to look again when memory is full. */
const FULL_MS = 250;
/** How soon to look again at a message that is at work for another reason. */
const BUSY_MS = 5_000;

export type Timers = {
  /** A timer is due at this time, epoch ms of the real clock. */
  at(time: number): void;
  /** Something has left memory or become durable: a partner whose clock went over time at once may have its next instant. */
  look(): void;
  close(): void;
};

type Options = {
  readonly store: Store;
  readonly resumer: Resumer;
  readonly committer: Committer;
  readonly active: Active;
  readonly room: () => number;
  readonly closing: () => boolean;
  readonly now: () => number;
  readonly clock: PartnerClock;
  readonly broken: (error: unknown) => void;
};

const lookAt = ({ messageId, partner, dueAt, kind }: DueTimer, clock: PartnerClock): Look => ({
  messageId,
  stream: streamOf("message", messageId),
  mark: undefined,
  due: true,
  partner,
  // A gateway, and the operator, are waited for in real time.
  at: kind === "waiting" || kind === "held" ? undefined : jumped(clock, partner, dueAt),
});

/** Takes due rows in batches; one alarm, set to the earliest of them, wakes it. */
export function createTimers(options: Options): Timers {
  const { store, resumer, committer, active, room, closing, now, clock, broken } = options;
  let busy = false;
  let asked = false;
  let looking: NodeJS.Immediate | undefined;
  const alarm = createAlarm(ring, now);
  const catchUp = createCatchUp(
    clock,
    (messageId) => !active.has(messageId) && !committer.settingTimer(messageId),
  );

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
      const { moved, clocks } = catchUp.now();
      const due = await store.takeDue(now(), limit, moved);
      const taken = clocks.length === 0 ? due : [...due, ...(await store.takeMoved(clocks, limit))];
      await resume(taken);
      const over = catchUp.take(taken);
      if (taken.length >= limit || over) asked = true;
      else {
        const next = Math.min(
          (await store.nextDue(moved)) ?? Infinity,
          (clocks.length === 0 ? undefined : await store.nextMoved(clocks)) ?? Infinity,
        );
        if (next < Infinity) alarm.at(next);
      }
    }
  }

  async function resume(taken: readonly DueTimer[]): Promise<void> {
    // A message that is at work already is looked at once more later: its row must not be forgotten.
    for (const { messageId, partner } of taken)
      if (active.has(messageId)) {
        const dueAt = clock.now(partner) + BUSY_MS;
        committer.timer(messageId, { dueAt, kind: "waiting", partner });
      }
    const looks = taken
      .filter(({ messageId }) => !active.has(messageId))
      .map((timer) => lookAt(timer, clock));
    for (const { messageId, partner } of looks) active.add(messageId, partner);
    await resumer.resume(looks);
  }

  return {
    at: (time) => alarm.at(time),
    look() {
      // Not at once: who leaves memory may have a timer to set.
      if (catchUp.waits) looking ??= setImmediate(() => ((looking = undefined), ring()));
    },
    close() {
      alarm.cancel();
      clearImmediate(looking);
    },
  };
}
