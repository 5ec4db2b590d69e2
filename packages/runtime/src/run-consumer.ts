import { startConsumers } from "./consumers.ts";
import { pause } from "./faults.ts";
import type { Consumer, ServiceContext } from "./types.ts";

/** Runs one consumer (tests, tools): `caughtUp` waits until its checkpoint has reached a position, 10 s at most. */
export async function runConsumer(
  consumer: Consumer,
  context: ServiceContext,
): Promise<{
  stop(): Promise<void>;
  caughtUp(position: bigint): Promise<void>;
  readonly lastError: string | undefined;
}> {
  const running = await startConsumers(context, [consumer]);
  const status = running.statuses[0]!;
  return {
    stop: () => running.stop(),
    get lastError() {
      return status.lastError;
    },
    async caughtUp(position) {
      const deadline = performance.now() + 10_000;
      while (status.position < position) {
        if (performance.now() > deadline)
          throw new Error(
            `${consumer.name} is at ${status.position}, not at ${position}: ${status.lastError ?? "no error"}`,
          );
        await pause(5);
      }
    },
  };
}
