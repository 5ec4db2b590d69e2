import { randomUUID } from "node:crypto";
import { Kafka, logLevel } from "kafkajs";
import { until } from "@heliograph/testkit";
import type { Verdict } from "./verdict.ts";
import type { Tenant, World } from "./world.ts";

/** A record of a public topic, as an outside client sees it. */
type Told = {
  readonly key: string;
  readonly id: string;
  readonly type: string;
  readonly partner: string;
  readonly sequence: number;
};
const topicOf = (environment: string): string => `heliograph.${environment}.message`;

/** Everything that the message topic of an environment holds, read with a client of its own. */
export async function readTopic(world: World, environment: string): Promise<readonly Told[]> {
  if (world.brokers === undefined) return [];
  const topic = topicOf(environment);
  const client = new Kafka({
    brokers: [...world.brokers],
    clientId: "oracle",
    logLevel: logLevel.NOTHING,
  });
  const admin = client.admin();
  const consumer = client.consumer({ groupId: `oracle-${randomUUID()}` });
  const told: Told[] = [];
  try {
    await admin.connect();
    // A broker that has just come back is not yet the leader of everything.
    const ends = await until(() => admin.fetchTopicOffsets(topic), {
      timeoutMs: 20_000,
      what: `the ends of ${topic} are known`,
    });
    const left = new Map(
      ends
        .filter(({ low, high }) => Number(high) > Number(low))
        .map(({ partition, high }) => [partition, Number(high)]),
    );
    if (left.size === 0) return [];
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ partition, message: { key, headers, offset } }) => {
        const header = (name: string): string => String(headers?.[name] ?? "");
        told.push({
          key: String(key),
          id: header("ce_id"),
          type: header("ce_type"),
          partner: header("ce_partner"),
          sequence: Number(header("ce_sequence")),
        });
        if (Number(offset) + 1 >= (left.get(partition) ?? 0)) left.delete(partition);
      },
    });
    await until(() => left.size === 0, { timeoutMs: 30_000, what: `${topic} is read to its end` });
  } finally {
    await consumer.disconnect();
    await admin.disconnect();
  }
  return told;
}

/** 7 and 9 for the public topic: each event of the feed is there, under the same number, in the order of its subject; repeats carry the same id. */
export function checkTopic(
  tenant: Tenant,
  feed: readonly { readonly id: string; readonly type: string; readonly sequence: number }[],
  topic: readonly Told[],
  verdict: Verdict,
): void {
  const where = `${topicOf(tenant.environment)}, ${tenant.partner}`;
  const own = topic.filter(({ partner }) => partner === tenant.partner);
  const wanted = new Map(
    feed.filter(({ type }) => type.startsWith("message.")).map((event) => [event.id, event]),
  );
  const seen = new Map<string, Told>();
  const last = new Map<string, number>();
  for (const record of own) {
    if (seen.has(record.id)) continue;
    seen.set(record.id, record);
    const event = wanted.get(record.id);
    if (event === undefined || event.type !== record.type || event.sequence !== record.sequence)
      verdict.broken(7, `${where}: ${record.type} ${record.sequence} is not what the feed says`);
    if (record.sequence < (last.get(record.key) ?? 0))
      verdict.broken(9, `${where}: ${record.type} of ${record.key} comes too late`);
    last.set(record.key, record.sequence);
  }
  for (const [id, event] of wanted)
    if (!seen.has(id)) verdict.broken(7, `${where}: ${event.type} ${event.sequence} is missing`);
}
