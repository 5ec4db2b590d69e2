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
import type { ApiDeps, EnvironmentDeps } from "../context.ts";
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
  const open = (environment: Environment) =>
    openCountersOf({ ...deps.environments[environment], ...deps, environment });
  const opened = { live: open("live"), sandbox: open("sandbox") };
  const forgetting = setInterval(() => forget(deps), forgetEveryMs);
  forgetting.unref();
  return {
    counters: { live: opened.live.counters, sandbox: opened.sandbox.counters },
    async close() {
      clearInterval(forgetting);
      for (const environment of environments) await opened[environment].close();
    },
  };
}

type Counted = Pick<ApiDeps, "settings" | "logger"> &
  Pick<EnvironmentDeps, "pool" | "connection"> & { readonly environment: Environment };
type Shared = { readonly counters: Counters; readonly close: () => Promise<void>; users: number };
const shared = new WeakMap<EnvironmentDeps["pool"], Shared>();

/** The same of one environment. All who count there in a process count together, and each of them closes it. */
export function openCountersOf(given: Counted): {
  readonly counters: Counters;
  close(): Promise<void>;
} {
  const { pool } = given;
  let entry = shared.get(pool);
  if (entry === undefined) shared.set(pool, (entry = { ...openAlone(given), users: 0 }));
  const { counters, close } = entry;
  entry.users++;
  return {
    counters,
    async close() {
      entry.users--;
      if (entry.users > 0) return;
      shared.delete(pool);
      await close();
    },
  };
}

function openAlone(given: Counted): Omit<Shared, "users"> {
  const { pool } = given;
  const closing: (() => Promise<unknown>)[] = [];
  const days = new DailyLimits({
    take: (asks) => takeFromDays(pool, asks),
    look: (partner, most) => readDay(pool, partner, most),
    giveBack: (partner, day, count) => giveBackToDay(pool, partner, day, count),
  });
  closing.push(() => days.close());
  return {
    counters: { days, rates: openRates(given, closing) },
    async close() {
      for (const close of closing) await close();
    },
  };
}

/** Where `HELIOGRAPH_LIMITS` says nothing: beside an API that runs alone others may serve too. */
const areShared = ({ limits, services }: Pick<Counted["settings"], "limits" | "services">) =>
  (limits ?? (services.length === 1 && services[0] === "ingress" ? "postgres" : "memory")) ===
  "postgres";

function openRates(
  { environment, connection, settings, logger }: Counted,
  closing: (() => Promise<unknown>)[],
): Limiter {
  if (!areShared(settings)) return memoryLimiter(new RateLimiter());
  const pool = openPool(
    connection,
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
      areShared(settings) ? forgetFullBuckets(projectionPool) : undefined,
    ]).catch((error: unknown) =>
      logger.warn({ err: error }, "old counts of limits were not dropped"),
    );
  }
}
