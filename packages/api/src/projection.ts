import { setTimeout as wait } from "node:timers/promises";
import { PublicError } from "@heliograph/contracts";
import { parsePosition } from "@heliograph/log";
import type { Call } from "./call.ts";
import { checkpointOf, hurry } from "@heliograph/runtime";

const maxWaitMs = 5_000;

/**
 * `Projection-Lag`: how many events of the log the read model has not seen. With `Min-Log-Position` it first waits, at most 5 s,
 * until the read model has seen that position; after that it answers with what there is, and the lag says so.
 */
export async function projectionHeaders(call: Call, schema: string): Promise<readonly string[]> {
  const { projectionPool, log } = call.deps;
  const header = call.request.headers["min-log-position"];
  let position = await checkpointOf(projectionPool, schema);
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
    const deadline = performance.now() + maxWaitMs;
    // A position beyond the head is of another log (keys and partners have theirs): waiting for it would be in vain.
    const reachable = wanted <= (await log.head());
    for (
      let pauseMs = 2;
      reachable && position < wanted && performance.now() < deadline && !call.signal.aborted;
      pauseMs = Math.min(pauseMs * 2, 50)
    ) {
      hurry(projectionPool, schema);
      await wait(pauseMs);
      position = await checkpointOf(projectionPool, schema);
    }
  }
  const head = await log.head();
  return ["Projection-Lag", String(log.span(position, head))];
}
