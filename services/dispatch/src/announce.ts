import { messageOf, type ServiceContext } from "@heliograph/runtime";
import type { Connection, Connections } from "./connections.ts";
import { CALM_MS, tell } from "./notices.ts";
import { calmAgain, forgetTrouble, seeTrouble } from "./tables/trouble.ts";

/** Breakers are looked at so often; scaled as their pauses are. */
const EVERY_MS = 1_000;
/** Under whatever scale: a look costs a statement. */
const LEAST_MS = 100;
/** An open breaker is noted several times in the time for which all must have been closed. */
const NOTES = 4;

type About = Pick<
  ServiceContext,
  "environment" | "log" | "directory" | "settings" | "pool" | "logger"
>;

/**
 * Says in the log when a gateway's breaker opens, and when it has been closed for a while. Beside dispatch, which never waits for it: one look after another, and one append
 * at a time; what fails is tried again at the next look.
 */
export function announceTrouble(
  about: About,
  connections: Connections,
  now: () => number,
): { close(): void } {
  const { settings, logger } = about;
  const scale = settings.retryScale;
  const noted = new Map<string, { readonly since: number; readonly at: number }>();
  let calmLookAt = 0;
  let looking: Promise<void> | undefined;
  let failed = false;
  let closed = false;

  async function look(): Promise<void> {
    for (const connection of connections.all) {
      if (closed) return;
      await lookAtOpen(connection);
    }
    if (closed || now() < calmLookAt) return;
    calmLookAt = now() + Math.max(LEAST_MS, (CALM_MS * scale) / NOTES);
    await lookAtCalm(about, connections, now);
  }
  async function lookAtOpen({ given, breaker }: Connection): Promise<void> {
    const { trouble } = breaker;
    if (trouble === undefined) return;
    const at = now();
    const { since, closedAt } = trouble;
    const before = noted.get(given.gateway_id);
    const isKnown =
      before?.since === since &&
      (closedAt !== undefined || Math.abs(at - before.at) < (CALM_MS * scale) / NOTES);
    if (isKnown) return;
    await seeTrouble(about.pool, given.gateway_id);
    await tell(about, given, trouble, at);
    noted.set(given.gateway_id, { since, at });
  }
  const timer = setInterval(
    () => {
      looking ??= look()
        .then(() => void (failed = false))
        .catch((error: unknown) => {
          if (!failed && !closed)
            logger.warn({ error: messageOf(error) }, "how gateways do was not told; it is retried");
          failed = true;
        })
        .finally(() => (looking = undefined));
    },
    Math.max(LEAST_MS, Math.min(EVERY_MS, EVERY_MS * scale)),
  ).unref();
  return {
    // What is under way is not waited for: where the log is away it would hold up a shutdown, and whoever dispatches next looks again.
    close() {
      closed = true;
      clearInterval(timer);
    },
  };
}

/** Those of which all breakers have been closed for a while: said by a process to which one answers. A gateway that is gone does not recover. */
async function lookAtCalm(
  about: About,
  connections: Connections,
  now: () => number,
): Promise<void> {
  const { pool, environment, directory, settings } = about;
  const calmMs = CALM_MS * settings.retryScale;
  for (const id of await calmAgain(pool, calmMs)) {
    const connection = connections.all.find(({ given }) => given.gateway_id === id);
    if (connection === undefined) {
      const isThere = directory.gateways(environment).some((each) => each.gateway_id === id);
      if (!isThere) await forgetTrouble(pool, id, calmMs);
    } else if (answers(connection, now(), calmMs)) {
      await tell(about, connection.given, undefined, now());
      await forgetTrouble(pool, id, calmMs);
    }
  }
}

function answers({ breaker, stats }: Connection, now: number, calmMs: number): boolean {
  if (breaker.state(now) !== "closed") return false;
  const { closedAt = 0 } = breaker.trouble ?? {};
  return Math.abs(now - closedAt) >= calmMs && (stats.summary().successRate ?? 0) > 0;
}
