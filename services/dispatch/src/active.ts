import type { PartnerClock } from "@heliograph/runtime";
import type { Committer } from "./committer.ts";
import type { Floor, Mark } from "./floor.ts";

/** Messages at work in this process: a second reason to look at one waits until the first is done with. */
export type Active = {
  has(messageId: string): boolean;
  add(messageId: string, partner: string | undefined): void;
  /** The work is done; a message that was asked for again meanwhile gets a timer that is due now. */
  remove(messageId: string): void;
  /** Look at it once more afterwards; the mark holds the checkpoint until a timer stands for that. */
  again(messageId: string, mark: Mark, partner: string | undefined): void;
  readonly size: number;
  /** How many of them are a partner's. */
  sizeOf(partner: string | undefined): number;
};

export function createActive(
  committer: () => Committer,
  floor: Floor,
  clock: Pick<PartnerClock, "now">,
  left: () => void,
): Active {
  const partners = new Map<string, string | undefined>();
  const sizes = new Map<string | undefined, number>();
  const count = (partner: string | undefined, by: number): void => {
    const size = (sizes.get(partner) ?? 0) + by;
    if (size === 0) sizes.delete(partner);
    else sizes.set(partner, size);
  };
  const wanted = new Map<string, { readonly mark: Mark; readonly partner: string | undefined }>();
  return {
    has: (messageId) => partners.has(messageId),
    add(messageId, partner) {
      if (partners.has(messageId)) return;
      partners.set(messageId, partner);
      count(partner, 1);
    },
    remove(messageId) {
      const partner = partners.get(messageId);
      if (partners.delete(messageId)) count(partner, -1);
      left();
      if (wanted.size === 0) return;
      const known = wanted.get(messageId);
      if (known === undefined) return;
      wanted.delete(messageId);
      const dueAt = clock.now(known.partner);
      committer().timer(messageId, { dueAt, kind: "retry", partner: known.partner });
      floor.release(known.mark);
    },
    again(messageId, mark, partner) {
      const known = wanted.get(messageId);
      if (known !== undefined) floor.release(known.mark);
      wanted.set(messageId, { mark: floor.hold(mark), partner });
    },
    get size() {
      return partners.size;
    },
    sizeOf: (partner) => sizes.get(partner) ?? 0,
  };
}
