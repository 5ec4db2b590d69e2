import type { WritePart } from "@heliograph/runtime";
import { forgetFailing, type Failing, writeFailing } from "./store.ts";
import type { AttemptOutcome } from "./tables/statistics.ts";

/** Both clocks: the one that may be set, and the one of this run alone. */
export type Now = { readonly now: number; readonly tick: number };

const hourMs = 3_600_000;
/** The longest that the schedule leaves between attempts is 28.8 hours: what lies further apart was not tried in between. */
const longestGapMs = 30 * hourMs;
/** The owner is told when this part of the time until an endpoint is disabled is over: a day of five. */
const toldAfter = 0.2;

/**
 * What the receiver, or the way to it, can be blamed for. Not what we refuse to send, and not names that do not resolve, which our own resolver may be to blame for.
 */
const blamed: ReadonlySet<AttemptOutcome> = new Set([
  "redirect_not_followed",
  "status_4xx",
  "status_5xx",
  "timeout",
  "connect_timeout",
  "connection_failed",
  "tls_failed",
  "bad_answer",
]);
const answers: ReadonlySet<AttemptOutcome> = new Set([
  "delivered",
  "redirect_not_followed",
  "status_4xx",
  "status_5xx",
]);

/**
 * How much of the time between two failures counts. None where too long lies between them, so that an outage of ours and a clock that was set forward say nothing; none where no receiver at all has answered in
 * between, for then it may be our network that is away; and no more than has passed by either clock.
 */
function gapMs(wallMs: number, tickMs: number | undefined, heard: boolean): number {
  if (!heard || wallMs > longestGapMs) return 0;
  return Math.max(0, Math.min(wallMs, tickMs ?? wallMs));
}

/** The endpoint after one more failure; `lastTick` is when it failed before, where that was in this run, `heard` whether any receiver answered since. */
export function afterFailure(
  before: Failing | undefined,
  endpointId: string,
  { now, tick }: Now,
  lastTick: number | undefined,
  heard: boolean,
): Failing {
  if (before === undefined)
    return { endpointId, since: now, failedAt: now, failedForMs: 0, told: false };
  const tickMs = lastTick === undefined ? undefined : tick - lastTick;
  const failedForMs = before.failedForMs + gapMs(now - before.failedAt, tickMs, heard);
  return { ...before, failedAt: now, failedForMs };
}

export type Advice = "none" | "tell" | "disable";

/** Which endpoints fail and for how long; those that do not are not here. */
export class Health {
  readonly #disableAfterMs: number;
  readonly #failing: Map<string, Failing>;
  readonly #lastTicks = new Map<string, number>();
  readonly #changed = new Set<string>();
  /** When any receiver answered. */
  #heardAt = -Infinity;

  /** `disableAfterMs`: Infinity for never. */
  constructor(disableAfterMs: number, stored: readonly Failing[]) {
    this.#disableAfterMs = disableAfterMs;
    this.#failing = new Map(stored.map((each) => [each.endpointId, each]));
  }

  /** An attempt failed: what is to be done about its endpoint. */
  failed(endpointId: string, outcome: AttemptOutcome, at: Now): Advice {
    if (answers.has(outcome)) this.#heardAt = at.tick;
    if (!blamed.has(outcome)) return "none";
    const before = this.#failing.get(endpointId);
    const lastTick = this.#lastTicks.get(endpointId);
    const heard = this.#heardAt > (lastTick ?? -Infinity);
    const after = afterFailure(before, endpointId, at, lastTick, heard);
    this.#set(after);
    this.#lastTicks.set(endpointId, at.tick);
    if (after.failedForMs >= this.#disableAfterMs) return "disable";
    return !after.told && after.failedForMs >= this.#disableAfterMs * toldAfter ? "tell" : "none";
  }

  /** An attempt was delivered. Gives since when the endpoint had failed, where its owner was told of that: it is told of this too, and `recovered` called then. */
  delivered(endpointId: string, { now, tick }: Now): Failing | undefined {
    this.#heardAt = tick;
    const before = this.#failing.size === 0 ? undefined : this.#failing.get(endpointId);
    if (before === undefined) return undefined;
    if (!before.told) {
      this.forget(endpointId);
      return undefined;
    }
    this.#set({ ...before, failedAt: now, failedForMs: 0 });
    return before;
  }

  /** Its owner was told that it fails. */
  told(endpointId: string): void {
    const before = this.#failing.get(endpointId);
    if (before !== undefined) this.#set({ ...before, told: true });
  }

  /** Its owner was told that it answers again. */
  recovered(endpointId: string): void {
    const before = this.#failing.get(endpointId);
    if (before === undefined) return;
    if (before.failedForMs === 0) this.forget(endpointId);
    else this.#set({ ...before, told: false });
  }

  since(endpointId: string): number | undefined {
    return this.#failing.get(endpointId)?.since;
  }

  /** It was disabled, deleted, enabled again, or moved: another receiver, or none. */
  forget(endpointId: string): void {
    if (this.#failing.delete(endpointId)) this.#changed.add(endpointId);
    this.#lastTicks.delete(endpointId);
  }

  /** What to write of it, but for endpoints whose rows the same commit deletes anyway. */
  take(except: ReadonlySet<string>): readonly WritePart[] {
    const changed = [...this.#changed].filter((id) => !except.has(id));
    for (const id of changed) this.#changed.delete(id);
    const there = changed.flatMap((id) => this.#failing.get(id) ?? []);
    const gone = changed.filter((id) => !this.#failing.has(id));
    return [
      ...(there.length === 0 ? [] : [writeFailing(there)]),
      ...(gone.length === 0 ? [] : [forgetFailing(gone)]),
    ];
  }

  #set(failing: Failing): void {
    this.#failing.set(failing.endpointId, failing);
    this.#changed.add(failing.endpointId);
  }
}
