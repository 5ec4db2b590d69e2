import { failpoint } from "@heliograph/contracts";
import type { Attempt, SendResult } from "@heliograph/gateways";
import { activeTracing } from "@heliograph/tracing";
import type { Logger } from "pino";
import type { Connection } from "./connections.ts";
import type { CallFiles, CallResult, NotCalled } from "./call-files.ts";
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
  /** Reads what goes with a call; never throws. */
  readonly files: (connection: Connection, sending: Attempt) => Promise<CallFiles | NotCalled>;
};

/** What the slowest way to a provider may take for the files of a call, in steps, so that calls share deadlines: bytes in a millisecond. */
const SLOWEST_BYTES = 100;
const STEP_MS = 10_000;
const forFilesMs = (bytes: number): number => Math.ceil(bytes / SLOWEST_BYTES / STEP_MS) * STEP_MS;

const takesFiles = ({ given: { connection, sending } }: Called): boolean =>
  sending.media !== undefined && connection.gateway.takesFiles === true;

export function createCaller({ logger, now, ownership, inbox, broken, files }: Options): Caller {
  const deadlines = createDeadlines();

  async function send(
    { messageId, given: { connection, sending } }: Called,
    held: CallFiles | undefined,
  ): Promise<SendResult> {
    try {
      const timeoutMs = connection.config.timeout_ms + forFilesMs(held?.bytes ?? 0);
      const signal = deadlines.signal(timeoutMs, now());
      const attempt = held === undefined ? sending : { ...sending, files: held.files };
      return await connection.gateway.send(attempt, signal);
    } catch (error) {
      const about = { gateway: connection.name, message: messageId, err: error };
      logger.error(about, "a gateway threw");
      return { type: "uncertain", cause: "connection_lost" };
    }
  }

  async function make(job: Called, held: CallFiles | undefined): Promise<void> {
    const pause = failpoint("dispatch.before_provider");
    if (pause !== undefined) await pause;
    const startedAt = performance.now();
    const result = await send(job, held);
    const durationMs = performance.now() - startedAt;
    const answered = failpoint("dispatch.after_provider");
    if (answered !== undefined) await answered;
    handIn(job, result, durationMs);
  }

  function handIn(job: Called, result: CallResult, durationMs: number): void {
    const { connection, sending } = job.given;
    connection.count(
      result.type,
      durationMs,
      activeTracing() === undefined ? undefined : sending.traceparent,
    );
    inbox.put({ type: "answered", job, result, durationMs });
  }

  /** The files first, however long they take: then it is looked whether this owner still is one, and the call's time begins. */
  async function withFiles(job: Called): Promise<void> {
    const held = await files(job.given.connection, job.given.sending);
    if (held.type === "not_called") return handIn(job, held, 0);
    try {
      await owned(job, held);
    } finally {
      held.release();
    }
  }

  async function owned(job: Called, held?: CallFiles): Promise<void> {
    try {
      if (await isOwner(ownership)) return await make(job, held);
    } catch (error) {
      broken(error);
    }
    inbox.put({ type: "not made", job });
  }

  return {
    call: (job) => (takesFiles(job) ? withFiles(job) : owned(job)),
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
