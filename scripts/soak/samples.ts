import { readdirSync } from "node:fs";
import { postgresProcesses } from "@heliograph/testkit";
import { residentMb } from "../bench/cpu.ts";
import { projections } from "../faults/check-projections.ts";
import type { World } from "../faults/world.ts";

/** What one process of the product was at one moment. A process has a life of its own: what grows does so within it. */
export type Sample = {
  readonly pid: number;
  /** Since the run began. */
  readonly seconds: number;
  readonly rssMb: number;
  readonly descriptors: number;
  /** Processes of its PostgreSQL. */
  readonly sessions: number;
  /** Of the consumer that is furthest behind. */
  readonly lagEvents: number;
};

/** Undefined while it starts, ends or does not answer: then there is nothing to compare. */
export async function sample(world: World, seconds: number): Promise<Sample | undefined> {
  const { pid } = world.instance;
  try {
    const behind = (await projections(world)).map(({ lag_events: lag }) => lag);
    const taken = {
      pid,
      seconds,
      rssMb: Math.round(residentMb(pid)),
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
      sessions: postgresProcesses(world.dataDir).length,
      lagEvents: Math.max(0, ...behind),
    };
    return world.instance.pid === pid ? taken : undefined;
  } catch {
    return undefined;
  }
}

/** A shorter life says nothing about growth: caches and pools fill in the first minute. */
const shortestLifeSeconds = 90;

/** What a figure may be in the last third of a life, by what it was in the middle third. */
const grown = {
  rssMb: (middle: number) => middle * 1.2 + 48,
  descriptors: (middle: number) => middle * 1.2 + 16,
  sessions: (middle: number) => middle + 10,
  lagEvents: (middle: number) => middle * 1.2,
};
const names = {
  rssMb: "MB of memory",
  descriptors: "open descriptors",
  sessions: "processes of PostgreSQL",
  lagEvents: "events behind",
};

export type Life = {
  readonly pid: number;
  readonly fromSeconds: number;
  readonly seconds: number;
  /** Medians of its thirds. */
  readonly figures: Readonly<
    Record<
      keyof typeof grown,
      { readonly first: number; readonly middle: number; readonly last: number }
    >
  >;
};

/** The lives that were long enough to tell. */
export function livesOf(samples: readonly Sample[]): readonly Life[] {
  const groups = Map.groupBy(samples, ({ pid }) => pid);
  return [...groups].flatMap(([pid, own]) => {
    const [fromSeconds, until] = [own[0]!.seconds, own.at(-1)!.seconds];
    const seconds = until - fromSeconds;
    if (seconds < shortestLifeSeconds) return [];
    const third = (n: number) =>
      own.filter(
        (one) =>
          one.seconds >= fromSeconds + (seconds * n) / 3 &&
          one.seconds <= fromSeconds + (seconds * (n + 1)) / 3,
      );
    const figure = (name: keyof typeof grown) => ({
      first: median(third(0).map((one) => one[name])),
      middle: median(third(1).map((one) => one[name])),
      last: median(third(2).map((one) => one[name])),
    });
    const figures = {
      rssMb: figure("rssMb"),
      descriptors: figure("descriptors"),
      sessions: figure("sessions"),
      lagEvents: figure("lagEvents"),
    };
    return [{ pid, fromSeconds, seconds, figures }];
  });
}

/**
 * A sentence for each figure that went on growing. `lagFloor` is what consumers may be behind however little that was before: what comes in within the
 * seconds that a consumer gathers.
 */
export function growth(lives: readonly Life[], lagFloor: number): readonly string[] {
  return lives.flatMap(({ pid, fromSeconds, seconds, figures }) =>
    (Object.keys(grown) as (keyof typeof grown)[]).flatMap((name) => {
      const { middle, last } = figures[name];
      const most = Math.max(grown[name](middle), name === "lagEvents" ? lagFloor : 0);
      return last > most
        ? [
            `process ${pid} (from ${Math.round(fromSeconds)} s on, ${Math.round(seconds)} s): ${middle} ${names[name]} became ${last}`,
          ]
        : [];
    }),
  );
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
