import type { Logger } from "pino";
import { isMachinery, messageOf, pause } from "./faults.ts";

const [firstRetryMs, slowestRetryMs] = [200, 2_000];

/**
 * A step of the start that may be done again. What is away is waited for, however far the start has come: ending would only make a supervisor start the process again and
 * again. Throws what waiting does not mend.
 */
export async function untilItAnswers<T>(
  what: string,
  logger: Logger,
  step: () => Promise<T>,
): Promise<T> {
  for (let delayMs = firstRetryMs; ; delayMs = Math.min(delayMs * 2, slowestRetryMs)) {
    try {
      return await step();
    } catch (error) {
      if (!isMachinery(error)) throw error;
      logger.warn({ error: messageOf(error), retry_in_ms: delayMs }, `${what} is away`);
      await pause(delayMs);
    }
  }
}
