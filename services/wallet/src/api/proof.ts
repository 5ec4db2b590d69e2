import type { StreamOf } from "@heliograph/contracts";
import { type Proof, startProof } from "@heliograph/domain";
import type { EventLog } from "@heliograph/log";
import { oneAtATime } from "@heliograph/runtime";

/** A proof reads the whole wallet and remembers each of its messages: one at a time in a process, so that memory stays bounded. */
const alone = oneAtATime();

/** Recomputes a wallet from its events up to a position. Gives undefined when the caller went away. */
export const proveWallet = (
  log: EventLog,
  stream: StreamOf<"wallet">,
  at: bigint,
  signal: AbortSignal,
): Promise<Proof | undefined> =>
  alone(async () => {
    const proving = startProof();
    for await (const event of log.scanStream(stream)) {
      if (signal.aborted) return undefined;
      if (event.position > at) break;
      proving.add(event);
    }
    return proving.result(at);
  });
