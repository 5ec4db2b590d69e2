import { failpoint } from "@heliograph/contracts";
import type { SendResult } from "@heliograph/gateways";
import type { Logger } from "pino";
import { createDeadlines } from "./deadlines.ts";
import type { Job } from "./job.ts";
import { isGatewayFault } from "./retry.ts";

/**
 * An owner that has not heard from its database for this long asks before it calls: it may have been stopped and continued, and
 * somebody else may have taken over and sent its messages (fault: SIGSTOP for a minute).
 */
const OWNERSHIP_MS = 5_000;

export type Caller = { call(job: Job): Promise<number>; readonly inFlight: number; close(): void };

type Options = {
  readonly logger: Logger;
  readonly now: () => number;
  /** False once another owner has taken over: then no further call is made, and the announced ones are the successor's. */
  readonly alive: () => boolean;
  readonly provedAt: () => number;
  /** Proves the ownership; false when it is lost. */
  readonly prove: () => Promise<boolean>;
  readonly settle: (job: Job, result: SendResult) => void;
  /** What it came to cannot be settled: a fault of ours, which stops this message and no other. */
  readonly unsettled: (job: Job, error: unknown) => void;
};

/** Makes one call and hands on what it came to. Never throws: a gateway that throws leaves an uncertain outcome. */
export function createCaller(options: Options): Caller {
  const { logger, now, alive, provedAt, prove } = options;
  const deadlines = createDeadlines();
  let inFlight = 0;

  async function call(job: Job): Promise<number> {
    if (!alive()) return 0;
    if (performance.now() - provedAt() > OWNERSHIP_MS && !(await prove())) return 0;
    const connection = job.connection!;
    let result: SendResult;
    inFlight++;
    const pause = failpoint("dispatch.before_provider");
    if (pause !== undefined) await pause;
    const startedAt = performance.now();
    try {
      result = await connection.gateway.send(
        job.sending!,
        deadlines.signal(connection.config.timeout_ms, now()),
      );
    } catch (error) {
      logger.error(
        { gateway: connection.name, message: job.messageId, err: error },
        "a gateway threw",
      );
      result = { type: "uncertain", cause: "connection_lost" };
    }
    const durationMs = performance.now() - startedAt;
    const answered = failpoint("dispatch.after_provider");
    if (answered !== undefined) await answered;
    inFlight--;
    const fault =
      result.type === "uncertain" ||
      result.type === "unavailable" ||
      (result.type === "rejected" && isGatewayFault(result.error));
    connection.stats.record(durationMs, !fault);
    connection.count(result.type, durationMs);
    if (result.type === "unavailable") connection.breaker.unreachable(job.ticket!, now());
    else connection.breaker.record(job.ticket!, fault, now());
    try {
      options.settle(job, result);
    } catch (error) {
      options.unsettled(job, error);
    }
    return durationMs;
  }

  return {
    call,
    get inFlight() {
      return inFlight;
    },
    close: () => deadlines.close(),
  };
}
