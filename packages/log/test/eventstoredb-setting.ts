import { eventStoreDouble } from "@heliograph/testkit/eventstore";
import { afterEach, beforeEach } from "vitest";
import { openEventStoreLog, type EventLog } from "../src/index.ts";

export type Double = Awaited<ReturnType<typeof eventStoreDouble>>;

/** A double of its own for each test of the file, and logs on it that are closed after the test. */
export function onDouble() {
  let double: Double | undefined;
  let logs: EventLog[] = [];
  const errors: string[] = [];
  beforeEach(async () => {
    double = await eventStoreDouble();
  });
  afterEach(async () => {
    await Promise.all(logs.map((log) => log.close()));
    await double?.close();
    logs = [];
    errors.length = 0;
  });
  return {
    at: (): Double => double!,
    /** What the logs have reported in this test. */
    errors,
    async open(
      namespace = "test",
      over: Partial<Parameters<typeof openEventStoreLog>[0]> = {},
    ): Promise<EventLog> {
      const log = await openEventStoreLog({
        connectionString: double!.connectionString,
        namespace,
        onError: (error) => void errors.push(String(error)),
        ...over,
      });
      logs.push(log);
      return log;
    },
  };
}
