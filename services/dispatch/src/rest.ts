import type { Throttles } from "@heliograph/gateways";

/** Longest that a gateway rests before it is tried again, whatever its provider says. */
export const LONGEST_REST_MS = 3_600_000;
/** Rest where the provider names no time, doubled while it goes on. */
const UNNAMED_MS = 5_000;
const LONGEST_UNNAMED_MS = 60_000;
/** A shorter one that is named is none: whoever is asked again at once refuses again. */
const LEAST_NAMED_MS = 1_000;
/** Recipients that a gateway rests for are forgotten beyond so many, the first ones first: then one of them is tried, and refused again. */
const MOST_RECIPIENTS = 10_000;

/** How many rests in a row, and when the last of them is over; `lengthMs` tells one that a clock set back has made longer. */
type Pause = { readonly until: number; readonly lengthMs: number; readonly inARow: number };

/** A provider took a message no further, because it takes no more for now. */
export type Throttled = {
  readonly to: string;
  /** Of whom it was said. */
  readonly throttles: Throttles;
  /** As the provider named it, ms. */
  readonly retryAfterMs?: number;
};

/**
 * When a gateway, or one recipient at it, is left alone because the provider said so. Times are epoch ms. Where nobody knows whether a refusal concerned the recipient or everybody, it concerned
 * the recipient, until another one is refused too and nothing was taken in between.
 */
export type Rest = {
  /** When nothing more speaks against a call to this recipient, or to anybody; undefined: nothing does. */
  until(now: number, to?: string): number | undefined;
  /** Gives what rests by it: a gateway that rests already is not told of anew. */
  throttled(of: Throttled, now: number): "gateway" | "recipient" | "gateway still";
  /** A provider that took something takes more, also of others. What was under way when a rest began does not end it. */
  took(to: string, now: number): void;
};

/** `scale`: of the times that no provider names. */
export function createRest(scale: number): Rest {
  let all: Pause | undefined;
  const recipients = new Map<string, Pause>();
  let suspect: string | undefined;

  const next = (before: Pause | undefined, namedMs: number | undefined, now: number): Pause => {
    const inARow = (before?.inARow ?? 0) + 1;
    const unnamedMs = Math.min(LONGEST_UNNAMED_MS, UNNAMED_MS * 2 ** (inARow - 1)) * scale;
    const isNamed = namedMs !== undefined && namedMs >= LEAST_NAMED_MS;
    const lengthMs = isNamed ? namedMs : Math.max(1, unnamedMs);
    return { until: now + lengthMs, lengthMs, inARow };
  };
  const restOf = (to: string, of: Throttled, now: number): void => {
    const pause = next(recipients.get(to), of.retryAfterMs, now);
    recipients.delete(to);
    recipients.set(to, pause);
    if (recipients.size > MOST_RECIPIENTS) recipients.delete(recipients.keys().next().value!);
  };
  function restAll(of: Throttled, now: number): "gateway" | "gateway still" {
    const namedMs =
      of.retryAfterMs === undefined ? undefined : Math.min(LONGEST_REST_MS, of.retryAfterMs);
    if (!lasts(all, now)) {
      all = next(all, namedMs, now);
      return "gateway";
    }
    // Calls that were under way say the same, and may say it of a longer time.
    if (namedMs !== undefined && now + namedMs > all.until)
      all = { ...next(undefined, namedMs, now), inARow: all.inARow };
    return "gateway still";
  }

  return {
    until(now, to) {
      const own = to === undefined ? undefined : recipients.get(to);
      const ends = [all, own].flatMap((pause) => (lasts(pause, now) ? [pause.until] : []));
      return ends.length === 0 ? undefined : Math.max(...ends);
    },
    throttled(of, now) {
      const { to, throttles } = of;
      if (throttles !== "gateway") restOf(to, of, now);
      const isAnother = suspect !== undefined && suspect !== to;
      if (throttles === "unknown") suspect = to;
      return throttles === "gateway" || (throttles === "unknown" && isAnother)
        ? restAll(of, now)
        : "recipient";
    },
    took(to, now) {
      suspect = undefined;
      if (!lasts(all, now)) all = undefined;
      if (!lasts(recipients.get(to), now)) recipients.delete(to);
    },
  };
}

/** Why a message to this recipient cannot go by a gateway now. */
export const unhealthyFor =
  (to: string, now: number) =>
  ({ unhealthy, rest }: { readonly unhealthy: string | undefined; readonly rest: Rest }) => {
    if (unhealthy !== undefined) return unhealthy;
    const until = rest.until(now, to);
    return until === undefined ? undefined : restWords(until);
  };

/** A gateway whose provider takes no more for now, and until when. */
export type Rested = { readonly until: number; readonly gateway: string };

/** Where its provider takes no more by any of them for now: when one does again, and which that is. */
export function restOfAll<Item extends { readonly name: string; readonly rest: Rest }>(
  candidates: readonly Item[],
  to: string,
  now: number,
): Rested | undefined {
  let first: Rested | undefined;
  for (const { name: gateway, rest } of candidates) {
    const until = rest.until(now, to);
    if (until === undefined) return undefined;
    if (first === undefined || until < first.until) first = { until, gateway };
  }
  return first;
}

const lasts = (pause: Pause | undefined, now: number): pause is Pause =>
  pause !== undefined && now < pause.until && pause.until - now <= pause.lengthMs;

export const restWords = (until: number): string =>
  `throttled by its provider until ${new Date(until).toISOString()}`;
