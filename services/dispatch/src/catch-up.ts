import type { PartnerClock } from "@heliograph/runtime";
import type { DueTimer, MovedClock } from "./store.ts";

/**
 * What a partner's clock went over at once happens in the order of its times, and what follows from one instant may come before the next: an attempt that fails at +30 s is repeated at +32 s,
 * before what is due at +90 s. So of each such partner one instant is taken, and the next when nothing of it is at work any more: `gone` tells it of a message.
 */
export class CatchUp {
  readonly #taken = new Map<string, Set<string>>();

  /** Partners with a clock of their own, and of these the clocks of those whose next instant may be taken. */
  next(
    clock: PartnerClock,
    gone: (messageId: string) => boolean,
  ): { readonly moved: readonly string[]; readonly clocks: readonly MovedClock[] } {
    this.#forget(gone);
    const moved = clock.moved();
    if (moved.size === 0) return { moved: [], clocks: [] };
    const partners = [...moved.keys()];
    const clocks = partners
      .filter((partner) => !this.#taken.has(partner))
      .map((partner) => ({
        partner,
        now: clock.now(partner),
        aheadMs: clock.aheadMs(partner),
        jumpedTo: moved.get(partner)!.jumps.at(-1)!.to,
      }));
    return { moved: partners, clocks };
  }
  /** Remembers what was taken of instants that a clock went over at once; true where all of it has gone already. */
  take(
    due: readonly DueTimer[],
    clock: PartnerClock,
    gone: (messageId: string) => boolean,
  ): boolean {
    let some = false;
    for (const { messageId, partner, dueAt } of due) {
      const jumps = partner === undefined ? undefined : clock.moved().get(partner)?.jumps;
      if (jumps === undefined || dueAt > jumps.at(-1)!.to) continue;
      some = true;
      const ids = this.#taken.get(partner!) ?? new Set();
      this.#taken.set(partner!, ids.add(messageId));
    }
    this.#forget(gone);
    return some && this.#taken.size === 0;
  }
  /** Something is waited for. */
  get waits(): boolean {
    return this.#taken.size > 0;
  }

  #forget(gone: (messageId: string) => boolean): void {
    for (const [partner, ids] of this.#taken) {
      for (const id of ids) if (gone(id)) ids.delete(id);
      if (ids.size === 0) this.#taken.delete(partner);
    }
  }
}
