import type { Metadata } from "@heliograph/log";

/** How far a partner's sandbox is ahead of the real time, and the stretches that its clock went over at once, the latest last. */
export type ClockState = {
  readonly aheadMs: number;
  readonly jumps: readonly { readonly from: number; readonly to: number }[];
};
/** The clocks of sandboxes that were advanced, by partner. */
type Clocks = {
  readonly clocks: ReadonlyMap<string, ClockState>;
  onChange(listener: () => void): () => void;
};

/** Which time it is for a partner. In live, and in a sandbox whose clock nobody advanced, it is the real one. Times are epoch milliseconds. */
export type PartnerClock = {
  now(partner: string | undefined): number;
  /** By how much that is ahead of the real time. */
  aheadMs(partner: string | undefined): number;
  /** The time itself where the clock went over it at once: what was due then happens then, and anything else now. */
  instant(partner: string | undefined, dueAt: number): number | undefined;
  /** What an event's metadata say of a time that is not the real one; left out, `recordedAt` tells it. */
  stamp(partner: string | undefined, at?: number): Pick<Metadata, "at"> | undefined;
  /** Partners whose clocks are ahead. */
  moved(): ReadonlyMap<string, ClockState>;
  /** Hears that a clock was advanced. */
  onChange(listener: () => void): () => void;
};

const none: ReadonlyMap<string, ClockState> = new Map();

export const realClock: PartnerClock = {
  now: () => Date.now(),
  aheadMs: () => 0,
  instant: () => undefined,
  stamp: () => undefined,
  moved: () => none,
  onChange: () => () => undefined,
};

/** The clocks of the sandbox, as the directory folds them from the platform log: so processes agree, and a restart changes nothing. */
export function virtualClock(
  directory: Clocks,
  realNow: () => number = () => Date.now(),
): PartnerClock {
  const of = (partner: string | undefined): ClockState | undefined =>
    partner === undefined ? undefined : directory.clocks.get(partner);
  const aheadMs = (partner: string | undefined): number => of(partner)?.aheadMs ?? 0;
  const now = (partner: string | undefined): number => realNow() + aheadMs(partner);
  return {
    now,
    aheadMs,
    instant: (partner, dueAt) =>
      of(partner)?.jumps.some(({ from, to }) => from < dueAt && dueAt <= to) === true
        ? dueAt
        : undefined,
    stamp: (partner, at) =>
      of(partner) === undefined ? undefined : { at: new Date(at ?? now(partner)).toISOString() },
    moved: () => directory.clocks,
    onChange: (listener) => directory.onChange(listener),
  };
}
