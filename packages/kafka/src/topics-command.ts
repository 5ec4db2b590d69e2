import type { KafkaSettings } from "@heliograph/runtime";
import type { Logger } from "pino";
import { kafkaClient } from "./client.ts";
import {
  alterTopics,
  compareTopics,
  ensureTopics,
  wantedTopics,
  withAdmin,
  type Difference,
} from "./topics.ts";

/** `create` makes what is missing, `apply` also changes what can be changed in place, `check` changes nothing. */
export type TopicsMode = "create" | "apply" | "check";

/**
 * Brings the topics of an installation towards what its settings want, and says line by line what was done and what differs.
 *
 * @returns whether every topic is there and as wanted.
 * @throws what the client throws when the cluster is away or forbids it.
 */
export async function runTopics(
  settings: KafkaSettings,
  mode: TopicsMode,
  logger: Logger,
  say: (line: string) => void,
): Promise<boolean> {
  const specs = wantedTopics(settings);
  return withAdmin(kafkaClient(settings, "heliograph.topics", logger), async (admin) => {
    if (mode === "check") {
      const { missing, differences } = await compareTopics(admin, specs);
      for (const { topic } of missing) say(`missing  ${topic}`);
      for (const difference of differences) say(`differs  ${describe(difference)}`);
      return summary(specs.length, missing.length, differences.length, say);
    }
    const { created, differences } = await ensureTopics(admin, specs);
    for (const topic of created) say(`created  ${topic}`);
    const altered = mode === "apply" ? await alterTopics(admin, differences) : [];
    for (const difference of altered) say(`altered  ${describe(difference)}`);
    const left = differences.filter((difference) => !altered.includes(difference));
    for (const difference of left) say(`differs  ${describe(difference)}${advice(difference)}`);
    return summary(specs.length, 0, left.length, say);
  });
}

const describe = ({ topic, name, wanted, present }: Difference): string =>
  `${topic}: ${name} is ${present || "not set"}, wanted ${wanted}`;

const advice = ({ name, alterable }: Difference): string =>
  alterable
    ? " (--apply alters it)"
    : name === "replication"
      ? " (kafka-reassign-partitions.sh alters it)"
      : " (partitions are never taken away: set HELIOGRAPH_KAFKA_SHARDS to what is there, or leave it)";

function summary(
  topics: number,
  missing: number,
  differences: number,
  say: (line: string) => void,
): boolean {
  const good = missing + differences === 0;
  say(
    good
      ? `${topics} topics are as wanted`
      : `of ${topics} topics ${missing} are missing; ${differences} settings differ`,
  );
  return good;
}
