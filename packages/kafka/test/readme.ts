// What the README shows, compiled.
import {
  startConsumers,
  type Consumer,
  type KafkaSettings,
  type ServiceContext,
} from "@heliograph/runtime";
import { openKafkaFeed, relayConsumer } from "../src/index.ts";

declare const settings: KafkaSettings;
declare const context: ServiceContext;
declare const consumers: readonly Consumer[];
declare const { log, pool, logger }: ServiceContext;

export async function example(): Promise<void> {
  const feed = openKafkaFeed({ settings, environment: "live", log, pool, logger });
  await startConsumers({ ...context, feed }, [...consumers, relayConsumer(settings)]);
  // A consumer is written as for the log: same batches, same checkpoint. `sharded: true` lets copies share the work.
  await feed.close();
}
