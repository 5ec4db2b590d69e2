import { setTimeout as wait } from "node:timers/promises";
import { PublicError } from "@heliograph/contracts";
import { type EventLog, formatPosition, parsePosition } from "@heliograph/log";
import type { Call } from "./call.ts";
import type { Route } from "./route.ts";
import type { EnvironmentDeps } from "./context.ts";
import { checkpointOf, hurry } from "@heliograph/runtime";

const maxWaitMs = 5_000;
const headWaitMs = 200;

/** What a partner reads: of a consumer that is divided, its own shard. */
export type ReadModel = { readonly schema: string; readonly partner: string };

/** Waits until a read model has seen a position, at most so long; gives the position that it has seen then. */
export async function seenUntil(
  { projectionPool }: Pick<EnvironmentDeps, "projectionPool">,
  { schema, partner }: ReadModel,
  wanted: bigint,
  atMostMs: number,
  signal: AbortSignal,
): Promise<bigint> {
  const deadline = performance.now() + atMostMs;
  let position = await checkpointOf(projectionPool, schema, partner);
  for (
    let pauseMs = 2;
    position < wanted && performance.now() < deadline && !signal.aborted;
    pauseMs = Math.min(pauseMs * 2, 50)
  ) {
    hurry(projectionPool, schema);
    await wait(pauseMs);
    position = await checkpointOf(projectionPool, schema, partner);
  }
  return position;
}

/** Whether it is a read of somebody who is known: it takes `Min-Log-Position`, and says `Projection-Lag`. */
export const saysLag = ({ method, scope, projection }: Route): boolean =>
  projection !== undefined || (method === "GET" && scope !== "public");

/**
 * `Projection-Lag`: how many events of the log the answer has not seen. With `Min-Log-Position` it first waits, at most 5 s, until that position is seen; after that it answers with what there is, and the lag
 * says so. What is folded from the log itself has seen all of it. The rest is kept in memory by the directory, which follows the log of the platform; while that does not answer, nothing is said.
 */
export async function lagHeaders(
  call: Call,
  { projection, folded }: Route,
): Promise<readonly string[]> {
  const wanted = wantedBy(call);
  const lag =
    projection === undefined
      ? await directoryLag(call, wanted, folded === true)
      : await projectionLag(call, projection, wanted);
  return lag === undefined ? [] : ["Projection-Lag", String(lag)];
}

/** `Log-Position` of what was done without an event of its own: everything that it rests on is there by then. Nothing while the log does not answer, for it is done. */
export async function positionHeaders(
  { context, deps }: Pick<Call, "context" | "deps">,
  { scope }: Pick<Route, "scope">,
): Promise<readonly string[]> {
  const log = scope === "admin" ? context.platformLog : deps.log;
  const head = await headSoon(log);
  return head === undefined ? [] : ["Log-Position", formatPosition(head)];
}

/** Where the log ends; undefined while it does not answer at once: no answer waits for what is said beside it. */
async function headSoon(log: Pick<EventLog, "head">): Promise<bigint | undefined> {
  const late = new AbortController();
  try {
    return await Promise.race([
      log.head().catch(() => undefined),
      wait(headWaitMs, undefined, { signal: late.signal }),
    ]);
  } finally {
    late.abort();
  }
}

function wantedBy({ request }: Call): bigint | undefined {
  const header = request.headers["min-log-position"];
  if (header === undefined) return undefined;
  const wanted = parsePosition(String(header));
  if (wanted !== undefined) return wanted;
  throw new PublicError("invalid_request", "Min-Log-Position is not a position.", {
    errors: [
      {
        path: "Min-Log-Position",
        code: "invalid_format",
        message: "send what Log-Position said",
      },
    ],
  });
}

async function projectionLag(
  call: Call,
  schema: string,
  wanted: bigint | undefined,
): Promise<number> {
  const { projectionPool, log } = call.deps;
  const partner = call.account;
  let position = await checkpointOf(projectionPool, schema, partner);
  // A position beyond the head is of another log (keys and partners have theirs): waiting for it would be in vain.
  if (wanted !== undefined && wanted <= (await log.head()))
    position = await seenUntil(call.deps, { schema, partner }, wanted, maxWaitMs, call.signal);
  return log.span(position, await log.head());
}

/**
 * The same of what is kept in memory, or `folded` from the log. A position of the environment's log is not waited for: it has mostly been passed in the platform's, or is beyond its head.
 */
async function directoryLag(
  { context }: Call,
  wanted: bigint | undefined,
  folded: boolean,
): Promise<number | undefined> {
  const { directory, platformLog } = context;
  if (folded && wanted === undefined) return 0;
  const head = await headSoon(platformLog);
  if (head === undefined) return folded ? 0 : undefined;
  if (wanted !== undefined && wanted > directory.position && wanted <= head)
    await directory.caughtUp(wanted, maxWaitMs).catch(() => undefined);
  return folded || head <= directory.position ? 0 : platformLog.span(directory.position, head);
}
