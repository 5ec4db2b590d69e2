import type { PartnerClock } from "@heliograph/runtime";
import type { DueTimer, MovedClock } from "./store.ts";

export type CatchUp = {
  /** Partners with a clock of their own, and of these the clocks of those whose next instant may be taken. */
  now(): { readonly moved: readonly string[]; readonly clocks: readonly MovedClock[] };
  /** Remembers what was taken of instants that a clock went over at once; true where all of it has gone already. */
  take(taken: readonly DueTimer[]): boolean;
  /** Something is waited for. */
  readonly waits: boolean;
};

/**
 * What a partner's clock went over at once happens in the order of its times, and what follows from one instant may come before the next: an attempt that fails at +30 s is repeated at +32 s,
 * before what is due at +90 s. So of each such partner one instant is taken, and the next when nothing of it is at work any more: `gone` tells it of a message.
 */
export function createCatchUp(clock: PartnerClock, gone: (messageId: string) => boolean): CatchUp {
  const taken = new Map<string, Set<string>>();

  function forget(): void {
    for (const [partner, ids] of taken) {
      for (const id of ids) if (gone(id)) ids.delete(id);
      if (ids.size === 0) taken.delete(partner);
    }
  }

  return {
    now() {
      forget();
      const moved = clock.moved();
      if (moved.size === 0) return { moved: [], clocks: [] };
      const partners = [...moved.keys()];
      const clocks = partners
        .filter((partner) => !taken.has(partner))
        .map((partner) => ({
          partner,
          now: clock.now(partner),
          aheadMs: clock.aheadMs(partner),
          jumpedTo: moved.get(partner)!.jumps.at(-1)!.to,
        }));
      return { moved: partners, clocks };
    },
    take(due) {
      let some = false;
      for (const { messageId, partner, dueAt } of due) {
        const jumps = partner === undefined ? undefined : clock.moved().get(partner)?.jumps;
        if (jumps === undefined || dueAt > jumps.at(-1)!.to) continue;
        some = true;
        const ids = taken.get(partner!) ?? new Set();
        taken.set(partner!, ids.add(messageId));
      }
      forget();
      return some && taken.size === 0;
    },
    get waits() {
      return taken.size > 0;
    },
  };
}
