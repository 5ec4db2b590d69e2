import { startKafka } from "@heliograph/testkit";
import { benchCopies } from "./copies.ts";
import { benchFeeds } from "./feeds.ts";
import { benchIdle } from "./idle.ts";
import type { Row } from "./row.ts";

/** Percent of a core that one idle instance may take. */
const idleMost = { log: 2, kafka: 4 };

/** What the log feed and the Kafka feed cost side by side: idle CPU, the time from acceptance to the provider's call, and what a second copy brings. Each part has a broker of its own, so that every topic begins with its log. */
export async function benchEngines(): Promise<Row[]> {
  const idleLog = await benchIdle("log", {}, idleMost.log);
  const idleKafka = await withKafka((env) => benchIdle("Kafka", env, idleMost.kafka));
  const latency = await benchBothFeeds();
  const copies = await withKafka(benchCopies);
  return [...idleLog, ...idleKafka, ...latency, ...copies];
}

/** What everything in one process carries with either feed, and how soon. The public topics are published with either as soon as there are brokers, so what they cost is told apart. */
export const benchBothFeeds = (): Promise<Row[]> =>
  withKafka((env) =>
    benchFeeds({
      "log feed": {},
      "log feed with public topics": { ...env, HELIOGRAPH_FEED: "log" },
      "Kafka feed": env,
    }),
  );

/** Runs on a fresh broker, given the settings of the Kafka feed there. */
async function withKafka(
  bench: (env: Readonly<Record<string, string>>) => Promise<Row[]>,
): Promise<Row[]> {
  const broker = await startKafka();
  try {
    return await bench({
      HELIOGRAPH_FEED: "kafka",
      HELIOGRAPH_KAFKA_BROKERS: broker.brokers.join(),
    });
  } finally {
    await broker.remove();
  }
}
