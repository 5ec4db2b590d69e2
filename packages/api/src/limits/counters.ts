import { environments, type Environment } from "@heliograph/contracts";
import {
  forgetDays,
  forgetFullBuckets,
  giveBackToDay,
  type Limiter,
  memoryLimiter,
  messageOf,
  openPool,
  RateLimiter,
  readDay,
  SharedLimiter,
  takeFromBuckets,
  takeFromDays,
} from "@heliograph/runtime";
import type { ApiDeps } from "../context.ts";
import type { Counters } from "./allowance.ts";
import { DailyLimits } from "./daily-limits.ts";

/** A statement takes a third of a millisecond: what takes so much longer is not coming, and the process goes on by itself. */
const patienceMs = 250;
/** One for the statement that is under way, one for the look whether the database is back. */
const connections = 2;
const forgetEveryMs = 300_000;

export type OpenedCounters = {
  readonly counters: Readonly<Record<Environment, Counters>>;
  /** Gives back what was taken ahead. */
  close(): Promise<void>;
};

/** Opens what counts the use of limits: rates in memory or in the databases, by `HELIOGRAPH_LIMITS`, and days in the databases. Their tables must be there. */
export function openCounters(deps: ApiDeps): OpenedCounters {
  const closing: (() => Promise<unknown>)[] = [];
  const open = (environment: Environment): Counters => {
    const { pool } = deps.environments[environment];
    const days = new DailyLimits({
      take: (asks) => takeFromDays(pool, asks),
      look: (partner, most) => readDay(pool, partner, most),
      giveBack: (partner, day, count) => giveBackToDay(pool, partner, day, count),
    });
    closing.push(() => days.close());
    return { days, rates: openRates(deps, environment, closing) };
  };
  const counters = { live: open("live"), sandbox: open("sandbox") };
  const forgetting = setInterval(() => forget(deps), forgetEveryMs);
  forgetting.unref();
  return {
    counters,
    async close() {
      clearInterval(forgetting);
      for (const close of closing) await close();
    },
  };
}

function openRates(
  { environments: all, settings, logger }: ApiDeps,
  environment: Environment,
  closing: (() => Promise<unknown>)[],
): Limiter {
  if (settings.limits !== "postgres") return memoryLimiter(new RateLimiter());
  const pool = openPool(
    all[environment].connection,
    { name: `${environment} limits`, max: connections, durable: false, patienceMs },
    logger,
  );
  closing.push(() => pool.end());
  return new SharedLimiter({
    store: (asks) => takeFromBuckets(pool, asks),
    copies: settings.limitsCopies,
    onAway: (error) =>
      logger.warn(
        { environment, error: messageOf(error) },
        "the shared limits do not answer: this process allows its part of them by itself",
      ),
  });
}

function forget({ environments: all, settings, logger }: ApiDeps): void {
  for (const environment of environments) {
    const { pool, projectionPool } = all[environment];
    Promise.all([
      forgetDays(pool),
      settings.limits === "postgres" ? forgetFullBuckets(projectionPool) : undefined,
    ]).catch((error: unknown) =>
      logger.warn({ err: error }, "old counts of limits were not dropped"),
    );
  }
}
