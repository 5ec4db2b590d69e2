import type pg from "pg";
import type { Logger } from "pino";
import { Gauge } from "prom-client";
import { messageOf } from "./faults.ts";
import { databaseTime } from "./tables/databases.ts";

/** Clocks kept by NTP are within milliseconds; a second off is a machine whose clock nobody keeps. */
export const WORTH_SAYING_MS = 1_000;
const EVERY_MS = 60_000;

const skewGauge = new Gauge({
  name: "heliograph_clock_skew_seconds",
  help: "How far the database's clock is ahead of this process's; negative when it is behind",
  aggregator: "first",
});

/** How far the database's clock is ahead of this process's; 0 where the answer can have been made between question and arrival. */
export async function clockSkewMs(
  pool: Pick<pg.Pool, "query">,
  now: () => number = Date.now,
): Promise<number> {
  const before = now();
  const ms = await databaseTime(pool);
  const after = now();
  return ms > after ? ms - after : ms < before ? ms - before : 0;
}

/**
 * Two clocks are in every event: the writer's in its data, the log's in `recordedAt`. What is decided (validity, schedules, retries, receipts) is decided by the clock of the
 * processes alone, and `recordedAt` is only shown; so a difference delays nothing, but makes times look strange and processes of different machines disagree. Therefore it
 * is said: one warning when it becomes larger than a second, one line when it is gone, and a metric.
 */
export function watchClock(
  pool: Pick<pg.Pool, "query">,
  logger: Logger,
  now: () => number = Date.now,
): { look(): Promise<void>; close(): void } {
  let said = false;
  async function look(): Promise<void> {
    const skewMs = await clockSkewMs(pool, now);
    skewGauge.set(skewMs / 1_000);
    const seconds = Math.round(skewMs / 100) / 10;
    if (Math.abs(skewMs) >= WORTH_SAYING_MS && !said)
      logger.warn(
        { seconds },
        "the clocks of the database and of this process differ: set both by NTP",
      );
    else if (Math.abs(skewMs) < WORTH_SAYING_MS && said)
      logger.info({ seconds }, "the clocks of the database and of this process agree again");
    said = Math.abs(skewMs) >= WORTH_SAYING_MS;
  }
  const timer = setInterval(() => {
    look().catch((error: unknown) =>
      logger.debug({ error: messageOf(error) }, "the database's clock could not be read"),
    );
  }, EVERY_MS).unref();
  return { look, close: () => clearInterval(timer) };
}

/** Clocks that differ by less were steered, or are of two machines; beyond it one was set. */
const SET_MS = 60_000;

/**
 * Whether what began at a time of the wall clock and takes so long is still under way. What began further ahead of now than it takes was written before the clock was set back: it is over, and comes early
 * once instead of as much too late. What is less far ahead may be of another machine's clock, and takes twice as long at most.
 */
export const isUnderWay = (since: number, forMs: number, now: number = Date.now()): boolean =>
  now < since + forMs && since <= now + Math.max(SET_MS, forMs);

/** Says by how many milliseconds the wall clock was set back since it was last asked; 0 where it was not. */
export function watchSetBack(
  now: () => number = () => Date.now(),
  tick: () => number = () => performance.now(),
): () => number {
  let ahead = now() - tick();
  return () => {
    const before = ahead;
    ahead = now() - tick();
    return before - ahead > SET_MS ? before - ahead : 0;
  };
}
