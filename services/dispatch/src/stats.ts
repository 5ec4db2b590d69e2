const KEPT = 256;

/** Durations and outcomes of the last 256 calls, and an estimate of the median that costs no sorting. */
export type Stats = {
  record(durationMs: number, success: boolean): void;
  /** Follows the median: each call moves it by 5 % towards itself, so a few slow ones do not matter. */
  readonly medianMs: number;
  summary(): {
    readonly calls: number;
    readonly successRate: number | null;
    readonly p50: number | null;
    readonly p95: number | null;
  };
};

export function createStats(): Stats {
  const durations = new Float64Array(KEPT);
  const successes = new Uint8Array(KEPT);
  let calls = 0;
  let medianMs = 50;
  return {
    record(durationMs, success) {
      const index = calls++ % KEPT;
      durations[index] = durationMs;
      successes[index] = success ? 1 : 0;
      medianMs = durationMs > medianMs ? medianMs * 1.05 : Math.max(0.1, medianMs * 0.95);
    },
    get medianMs() {
      return medianMs;
    },
    summary() {
      const size = Math.min(calls, KEPT);
      if (size === 0) return { calls, successRate: null, p50: null, p95: null };
      const sorted = durations.slice(0, size).sort();
      const at = (share: number): number =>
        Math.round(sorted[Math.min(size - 1, Math.floor(size * share))]! * 100) / 100;
      let succeeded = 0;
      for (let index = 0; index < size; index++) succeeded += successes[index]!;
      return {
        calls,
        successRate: Math.round((succeeded / size) * 1000) / 1000,
        p50: at(0.5),
        p95: at(0.95),
      };
    },
  };
}
