import type { Logger } from "pino";
import { refusalOf } from "./refusal.ts";

/** Ctrl-C and launchers that forward signals (npm, timeout) reach a process twice within milliseconds; a person who insists takes longer. */
const sameSignalMs = 1_000;
/** What is in flight at a stop has `HELIOGRAPH_SHUTDOWN_SECONDS`; closing connections after it takes no longer than this. */
export const closingMs = 5_000;
/** The exit code of a process that does not start because something is wrong that a person has to change. */
export const refusedCode = 2;

/**
 * Runs the stop once on SIGTERM or SIGINT and exits: 0 when it ended in time, 1 when it failed or did not. Another signal more than a second later exits
 * at once.
 */
export function onShutdown(logger: Logger, deadlineMs: number, stop: () => Promise<void>): void {
  let stoppingSince: number | undefined;
  const handle = (signal: NodeJS.Signals): void => {
    if (stoppingSince !== undefined) {
      if (performance.now() - stoppingSince < sameSignalMs) return;
      process.exit(1);
    }
    stoppingSince = performance.now();
    logger.info({ signal }, "stopping");
    const timer = setTimeout(() => {
      logger.error("the drain did not end in time");
      process.exit(1);
    }, deadlineMs);
    stop().then(
      () => {
        clearTimeout(timer);
        process.exit(0);
      },
      (error: unknown) => {
        logger.error(
          { error: error instanceof Error ? error.stack : String(error) },
          "stop failed",
        );
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", handle);
  process.on("SIGINT", handle);
}

/** Ends the process with `refusedCode`: with one line where a person can change what is wrong, with the stack where it is a bug. */
export function refuseToStart(error: unknown): never {
  const stack = error instanceof Error ? error.stack : String(error);
  process.stderr.write(`heliograph: ${refusalOf(error) ?? stack}\n`);
  process.exit(refusedCode);
}
