import { randomInt } from "node:crypto";
import { addTo, bucketOf } from "@heliograph/domain";
import type { WritePart } from "@heliograph/runtime";
import { forgetHours, type HourRow, writeHours } from "./tables/hours.ts";
import { attemptOutcomes, keptHours, type AttemptOutcome } from "./tables/statistics.ts";

const hourMs = 3_600_000;
/** Counts ride along with a record of deliveries, once a second: what a kill takes of them is less than that, and a busy endpoint costs no more than another. */
const writeEveryMs = 1_000;
/** Hours that are kept to go on with; above it an endpoint's next attempt begins another part of its hour. */
const maxHours = 10_000;

export const hourOf = (atMs: number): number => Math.floor(atMs / hourMs);

/** Counts attempts, by endpoint and hour, in rows that are written whole. */
export class Tally {
  readonly #hours = new Map<string, HourRow>();
  readonly #changed = new Set<HourRow>();
  /** Endpoints whose hour is new: what is older than what is kept goes. */
  readonly #begun = new Set<string>();
  #hour = 0;
  #writtenAt = -Infinity;

  /** `now` in epoch ms. */
  count(endpointId: string, outcome: AttemptOutcome, durationMs: number, now: number): void {
    const hour = hourOf(now);
    let row = this.#hours.get(endpointId);
    if (row?.hour !== hour) {
      row = newHour(endpointId, hour);
      this.#hours.set(endpointId, row);
      this.#begun.add(endpointId);
    }
    addTo(row.outcomes, attemptOutcomes.indexOf(outcome), 1);
    addTo(row.durations, bucketOf(durationMs), 1);
    this.#changed.add(row);
  }

  /** Whether something waits to be written; `tick` in ms of a clock that nobody sets. */
  isDue(tick: number): boolean {
    return this.#changed.size > 0 && tick - this.#writtenAt >= writeEveryMs;
  }

  get isEmpty(): boolean {
    return this.#changed.size === 0;
  }

  /** What there is to write. */
  take(now: number, tick: number): readonly WritePart[] {
    if (this.#changed.size === 0) return [];
    this.#writtenAt = tick;
    const parts = [writeHours([...this.#changed])];
    if (this.#begun.size > 0) parts.push(forgetHours([...this.#begun], hourOf(now) - keptHours));
    this.#changed.clear();
    this.#begun.clear();
    this.#sweep(hourOf(now));
    return parts;
  }

  #sweep(hour: number): void {
    if (this.#hours.size > maxHours) this.#hours.clear();
    if (this.#hour === hour) return;
    this.#hour = hour;
    for (const [id, row] of this.#hours) if (row.hour !== hour) this.#hours.delete(id);
  }
}

const newHour = (endpointId: string, hour: number): HourRow => ({
  endpointId,
  hour,
  // Nothing is read to make a row: no other run has this number.
  part: randomInt(2 ** 47),
  outcomes: new Map(),
  durations: new Map(),
});
