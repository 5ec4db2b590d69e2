import { setTimeout as wait } from "node:timers/promises";
import { PublicError } from "@heliograph/contracts";
import { parsePosition } from "@heliograph/log";
import type { Call } from "./call.ts";
import type { EnvironmentDeps } from "./context.ts";
import { checkpointOf, hurry } from "@heliograph/runtime";

const maxWaitMs = 5_000;

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

/**
 * `Projection-Lag`: how many events of the log the read model has not seen. With `Min-Log-Position` it first waits, at most 5 s,
 * until the read model has seen that position; after that it answers with what there is, and the lag says so.
 */
export async function projectionHeaders(call: Call, schema: string): Promise<readonly string[]> {
  const { projectionPool, log } = call.deps;
  const header = call.request.headers["min-log-position"];
  const partner = call.account;
  let position = await checkpointOf(projectionPool, schema, partner);
  if (header !== undefined) {
    const wanted = parsePosition(String(header));
    if (wanted === undefined)
      throw new PublicError("invalid_request", "Min-Log-Position is not a position.", {
        errors: [
          {
            path: "Min-Log-Position",
            code: "invalid_format",
            message: "send what Log-Position said",
          },
        ],
      });
    // A position beyond the head is of another log (keys and partners have theirs): waiting for it would be in vain.
    if (wanted <= (await log.head()))
      position = await seenUntil(call.deps, { schema, partner }, wanted, maxWaitMs, call.signal);
  }
  const head = await log.head();
  return ["Projection-Lag", String(log.span(position, head))];
}
