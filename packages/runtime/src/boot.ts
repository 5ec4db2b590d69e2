import type { Logger } from "pino";
import { isMachinery, messageOf, pause } from "./faults.ts";
import type { Settings } from "./settings.ts";

const [firstRetryMs, slowestRetryMs] = [200, 2_000];

/** The installation cannot be reached, or another reason that a person has to see to: one line, no stack. */
export class StartError extends Error {
  override readonly name = "StartError";
}

/**
 * A step of the start that may be done again. What is away is waited for, however far the start has come: ending would only make a supervisor start the process again and
 * again. After `HELIOGRAPH_START_WAIT_SECONDS` it is taken for a mistake. Throws StartError then, and at once what waiting does not mend.
 */
export async function untilItAnswers<T>(
  what: string,
  {
    logger,
    settings,
  }: { readonly logger: Logger; readonly settings: Pick<Settings, "startWaitMs"> },
  step: () => Promise<T>,
): Promise<T> {
  const startedAt = performance.now();
  for (let delayMs = firstRetryMs; ; delayMs = Math.min(delayMs * 2, slowestRetryMs)) {
    try {
      return await step();
    } catch (error) {
      if (!isMachinery(error)) throw error;
      const waitedMs = performance.now() - startedAt;
      if (waitedMs >= settings.startWaitMs)
        throw new StartError(
          `${what} did not answer in ${Math.round(waitedMs / 1000)} s: ${messageOf(error)}`,
          { cause: error },
        );
      logger.warn({ error: messageOf(error), retry_in_ms: delayMs }, `${what} is away`);
      await pause(Math.min(delayMs, settings.startWaitMs - waitedMs));
    }
  }
}
