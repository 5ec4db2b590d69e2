import { failpoint } from "@heliograph/contracts";
import type { SendResult } from "@heliograph/gateways";
import type { Logger } from "pino";
import type { Connection } from "./connections.ts";
import { createDeadlines } from "./deadlines.ts";
import type { Inbox } from "./inbox.ts";
import type { Called } from "./job.ts";

/**
 * An owner that has not heard from its database for this long asks before it calls: it may have been stopped and continued, and
 * somebody else may have taken over and sent its messages (fault: SIGSTOP for a minute).
 */
const OWNERSHIP_MS = 5_000;

/** Whether this owner still is one. */
export type Ownership = {
  /** False once another owner has taken over: then no further call is made, and the announced ones are the successor's. */
  readonly alive: boolean;
  /** When it was last proved, by the monotonic clock, ms. */
  readonly provedAt: number;
  /** Proves it; false when it is lost. */
  prove(): Promise<boolean>;
};

/** Whether this owner may call. Who was stopped for a minute does not know what has become of its place. */
const isOwner = async (ownership: Ownership): Promise<boolean> =>
  ownership.alive &&
  (performance.now() - ownership.provedAt <= OWNERSHIP_MS || (await ownership.prove()));

export type Caller = {
  /** Makes the call, and hands in what it came to. Never throws: a gateway that throws leaves an uncertain outcome. */
  call(job: Called): Promise<void>;
  close(): void;
};

type Options = {
  readonly logger: Logger;
  readonly now: () => number;
  readonly ownership: Ownership;
  readonly inbox: Inbox;
  readonly broken: (error: unknown) => void;
};

export function createCaller({ logger, now, ownership, inbox, broken }: Options): Caller {
  const deadlines = createDeadlines();

  async function send({ messageId, given: { connection, sending } }: Called): Promise<SendResult> {
    try {
      const signal = deadlines.signal(connection.config.timeout_ms, now());
      return await connection.gateway.send(sending, signal);
    } catch (error) {
      const about = { gateway: connection.name, message: messageId, err: error };
      logger.error(about, "a gateway threw");
      return { type: "uncertain", cause: "connection_lost" };
    }
  }

  async function make(job: Called): Promise<void> {
    const pause = failpoint("dispatch.before_provider");
    if (pause !== undefined) await pause;
    const startedAt = performance.now();
    const result = await send(job);
    const durationMs = performance.now() - startedAt;
    const answered = failpoint("dispatch.after_provider");
    if (answered !== undefined) await answered;
    job.given.connection.count(result.type, durationMs);
    inbox.put({ type: "answered", job, result, durationMs });
  }

  return {
    async call(job) {
      try {
        if (await isOwner(ownership)) return await make(job);
      } catch (error) {
        broken(error);
      }
      inbox.put({ type: "not made", job });
    },
    close: () => deadlines.close(),
  };
}

/** What a provider says of an attempt; undefined where it does not answer. */
export async function ask(
  connection: Connection | undefined,
  gateway: string,
  attemptId: string,
  logger: Logger,
): Promise<SendResult | "unknown" | undefined> {
  if (connection?.gateway.lookup === undefined) return "unknown";
  try {
    const signal = AbortSignal.timeout(connection.config.timeout_ms);
    return await connection.gateway.lookup(attemptId, signal);
  } catch (error) {
    const about = { gateway, attempt: attemptId, err: error };
    logger.warn(about, "a provider could not be asked about an attempt");
    return undefined;
  }
}
