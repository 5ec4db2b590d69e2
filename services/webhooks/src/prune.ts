import type { ReactorTools } from "@heliograph/runtime";
import type { Store } from "./store.ts";

const everyMs = 3_600_000;
/** Not while everything starts. */
const firstMs = 60_000;

/** Deletes deliveries that are over and older than what the operator keeps, a little at a time. */
export async function prune(
  store: Store,
  before: number,
  upTo: bigint,
  isStopped = () => false,
): Promise<void> {
  while (!isStopped() && (await store.prune(before, upTo)) > 0);
}

/** Does so once an hour. Gives what stops it. */
export function startPruning({ context, checkpoint, logger }: ReactorTools, store: Store) {
  const { webhookKeepMs } = context.settings;
  if (webhookKeepMs === Infinity) return () => {};
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const next = (ms: number): void => {
    timer = setTimeout(run, ms).unref();
  };
  const run = (): void => {
    prune(store, Date.now() - webhookKeepMs, checkpoint.position, () => stopped)
      .catch((error: unknown) => logger.warn({ error }, "old webhook deliveries were not deleted"))
      .finally(() => {
        if (!stopped) next(everyMs);
      });
  };
  next(firstMs);
  return (): void => {
    stopped = true;
    clearTimeout(timer);
  };
}
