import { kafkaVariable, keepKafka } from "./kafka/shared.ts";
import { serverVariable, startServer } from "./server.ts";

/** Vitest calls this once a run, before the workers start: they inherit the variables and share the servers. */
export async function setup(): Promise<() => Promise<void>> {
  const [server, kafka] = await Promise.all([startServer(), keepKafka()]);
  process.env[serverVariable] = JSON.stringify(server.config);
  process.env[kafkaVariable] = kafka.url;
  return async () => {
    await Promise.all([server.stop(), kafka.stop()]);
  };
}
