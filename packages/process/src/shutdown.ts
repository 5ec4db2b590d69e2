import type { Logger } from "pino";

/** Ctrl-C and launchers that forward signals (npm, timeout) reach a process twice within milliseconds; a person who insists takes longer. */
const sameSignalMs = 1_000;

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

/** Settings and start-up errors are one line for a person, with exit code 2; anything else keeps its stack. */
export function refuseToStart(error: unknown): never {
  const known =
    error instanceof Error &&
    ["SettingsError", "EmbeddedPostgresError", "StartError"].includes(error.name);
  process.stderr.write(
    `heliograph: ${known ? error.message : error instanceof Error ? error.stack : String(error)}\n`,
  );
  process.exit(2);
}
