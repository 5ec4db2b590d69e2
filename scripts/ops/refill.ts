import type { Environment } from "@heliograph/contracts";
import { refillTopic } from "@heliograph/kafka";
import { openLog } from "@heliograph/runtime";
import { newProgress } from "./progress.ts";
import { OpsError } from "./error.ts";
import type { Target } from "./target.ts";

/** Publishes a part of an environment's log to its topic again. True when it is done. */
export async function refill(
  target: Target,
  environment: Environment,
  after: bigint,
  to: bigint | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const { settings, logger, server } = target;
  if (settings.kafka === undefined) throw new OpsError("HELIOGRAPH_KAFKA_BROKERS is not set");
  const pool = await target.pool(environment);
  const log = await openLog(settings, server, environment, logger);
  const progress = newProgress(`refill (${environment})`);
  const startedAt = performance.now();
  try {
    const { events, position } = await refillTopic({
      settings: settings.kafka,
      environment,
      log,
      pool,
      logger,
      after,
      to,
      signal,
      onProgress: (published, total) => progress.show(published, Math.max(published, total)),
    });
    progress.end();
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    process.stdout.write(
      `heliograph.${environment}.log: ${events.toLocaleString("en")} events published again, up to position ${position}, in ${seconds} s\n`,
    );
    return true;
  } catch (error) {
    throw signal.aborted || !(error instanceof Error)
      ? error
      : new OpsError(error.message, { cause: error });
  } finally {
    progress.end();
    await log.close();
  }
}
