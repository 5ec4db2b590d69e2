import { type Proof, startProof } from "@heliograph/domain";
import type { EventLog } from "@heliograph/log";
import { oneAtATime } from "@heliograph/runtime";

const pageSize = 500;

/** A proof reads the whole wallet and remembers each of its messages: one at a time in a process, so that memory stays bounded. */
const alone = oneAtATime();

/** Recomputes a wallet from its events up to a position. Gives undefined when the caller went away. */
export const proveWallet = (
  log: EventLog,
  stream: string,
  at: bigint,
  signal: AbortSignal,
): Promise<Proof | undefined> =>
  alone(async () => {
    const proving = startProof();
    for (let from = 0; !signal.aborted; from += pageSize) {
      const events = await log.readStream(stream, { from, limit: pageSize });
      for (const event of events) if (event.position <= at) proving.add(event);
      const last = events.at(-1);
      if (events.length < pageSize || last!.position > at) return proving.result(at);
    }
    return undefined;
  });
