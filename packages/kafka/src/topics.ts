import { environments, type Environment } from "@heliograph/contracts";
import { pause, type KafkaSettings } from "@heliograph/runtime";
import type { Admin, Kafka } from "kafkajs";
import { kafkaLibrary } from "./library.ts";

/** The public topics, by the first part of a lifecycle event's type. */
export const publicSubjects = ["message", "conversation", "contact", "wallet"] as const;
export type PublicSubject = (typeof publicSubjects)[number];

export const logTopic = (environment: Environment): string => `heliograph.${environment}.log`;
export const publicTopic = (environment: Environment, subject: PublicSubject): string =>
  `heliograph.${environment}.${subject}`;
/** The topic that holds the events of one partner alone, so that an access rule can name its prefix. */
export const partnerTopic = (
  environment: Environment,
  partner: string,
  subject: PublicSubject,
): string => `heliograph.${environment}.partner.${partner}.${subject}`;

export type TopicSpec = {
  readonly topic: string;
  readonly partitions: number;
  readonly replication: number;
  readonly config: Readonly<Record<string, string>>;
};

const dayMs = 86_400_000;
/** An event of the log has at most 1,048,576 characters, up to three bytes each, and headers. */
const largestRecordBytes = 3_276_800;

/** What a broker answers about a topic it has just been told to have. */
const notYet: ReadonlySet<string> = new Set(["UNKNOWN_TOPIC_OR_PARTITION", "LEADER_NOT_AVAILABLE"]);
const leadersTimeoutMs = 15_000;

const common = (replication: number): Readonly<Record<string, string>> => ({
  "cleanup.policy": "delete",
  // As the producer sent it: a broker that compresses again would pay for each record, and an operator's default may say so.
  "compression.type": "producer",
  "max.message.bytes": String(largestRecordBytes),
  // With three copies one may be away and an acknowledged record is still on two.
  "min.insync.replicas": String(Math.max(1, replication - 1)),
});

/**
 * Every topic that an installation has. None is compacted: the records of one key are the history of a subject, and compaction would leave only its end.
 * The log topic is a way to the consumers, whose truth is the log: a week covers any outage. The public topics are what outsiders keep up with: a month.
 */
export function wantedTopics(
  settings: Pick<KafkaSettings, "shards" | "replication" | "partnerTopics">,
  only: readonly Environment[] = environments,
): readonly TopicSpec[] {
  const { shards, replication } = settings;
  const spec = (topic: string, partitions: number, days: number): TopicSpec => ({
    topic,
    partitions,
    replication,
    config: { ...common(replication), "retention.ms": String(days * dayMs) },
  });
  return only.flatMap((environment) => [
    spec(logTopic(environment), shards, 7),
    ...publicSubjects.map((subject) => spec(publicTopic(environment, subject), shards, 30)),
    ...settings.partnerTopics.flatMap((partner) =>
      publicSubjects.map((subject) => spec(partnerTopic(environment, partner, subject), 1, 30)),
    ),
  ]);
}

/** The topic that brings events to an environment's consumers. */
export const logTopics = (
  settings: KafkaSettings,
  environment: Environment,
): readonly TopicSpec[] =>
  wantedTopics(settings, [environment]).filter(({ topic }) => topic === logTopic(environment));

/** A connection for administration, for as long as the work takes. */
export async function withAdmin<T>(kafka: Kafka, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await work(admin);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

/** Where a topic is not as wanted. `alterable`: an operator may let it be changed in place. */
export type Difference = {
  readonly topic: string;
  readonly name: string;
  readonly wanted: string;
  readonly present: string;
  readonly alterable: boolean;
};

/**
 * Which topics are missing and where the others differ. Changes nothing.
 *
 * @throws what the client throws when the cluster is away or forbids it.
 */
export async function compareTopics(
  admin: Admin,
  specs: readonly TopicSpec[],
): Promise<{
  readonly missing: readonly TopicSpec[];
  readonly differences: readonly Difference[];
}> {
  const known = new Set(await admin.listTopics());
  return {
    missing: specs.filter(({ topic }) => !known.has(topic)),
    differences: await compare(
      admin,
      specs.filter(({ topic }) => known.has(topic)),
    ),
  };
}

/**
 * Creates the topics that are missing and says where the others differ; changes nothing that is there. May run in many processes at once.
 *
 * @throws what the client throws when the cluster is away or forbids it.
 */
export async function ensureTopics(
  admin: Admin,
  specs: readonly TopicSpec[],
): Promise<{ readonly created: readonly string[]; readonly differences: readonly Difference[] }> {
  const { missing, differences } = await compareTopics(admin, specs);
  const created: string[] = [];
  for (const spec of missing) if (await createTopic(admin, spec)) created.push(spec.topic);
  return { created, differences };
}

/** Creates a topic and waits until every partition of it has a leader. False when another process was first. */
async function createTopic(admin: Admin, spec: TopicSpec): Promise<boolean> {
  const created = await admin.createTopics({
    // The library waits for the leaders of topics that the broker knows, and fails while it does not yet know this one.
    waitForLeaders: false,
    topics: [
      {
        topic: spec.topic,
        numPartitions: spec.partitions,
        replicationFactor: spec.replication,
        configEntries: Object.entries(spec.config).map(([name, value]) => ({ name, value })),
      },
    ],
  });
  const giveUp = performance.now() + leadersTimeoutMs;
  for (;;) {
    if (await hasLeaders(admin, spec.topic)) return created;
    if (performance.now() > giveUp)
      throw new Error(`topic ${spec.topic} has no leaders after ${leadersTimeoutMs / 1000} s`);
    await pause(20);
  }
}

async function hasLeaders(admin: Admin, topic: string): Promise<boolean> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const partitions = topics[0]?.partitions ?? [];
    return partitions.length > 0 && partitions.every(({ leader }) => leader >= 0);
  } catch (error) {
    if (notYet.has((error as { type?: string }).type ?? "")) return false;
    throw error;
  }
}

async function compare(admin: Admin, specs: readonly TopicSpec[]): Promise<readonly Difference[]> {
  if (specs.length === 0) return [];
  const topics = specs.map(({ topic }) => topic);
  const [metadata, described] = await Promise.all([
    admin.fetchTopicMetadata({ topics }),
    admin.describeConfigs({
      includeSynonyms: false,
      resources: specs.map(({ topic, config }) => ({
        type: kafkaLibrary().ConfigResourceTypes.TOPIC,
        name: topic,
        configNames: Object.keys(config),
      })),
    }),
  ]);
  const differences: Difference[] = [];
  for (const spec of specs) {
    const { topic } = spec;
    const partitions = metadata.topics.find(({ name }) => name === topic)?.partitions ?? [];
    const differ = (name: string, wanted: string, present: string, alterable: boolean): void => {
      if (wanted !== present) differences.push({ topic, name, wanted, present, alterable });
    };
    differ(
      "partitions",
      String(spec.partitions),
      String(partitions.length),
      partitions.length < spec.partitions,
    );
    const copies = partitions[0]?.replicas.length ?? 0;
    differ("replication", String(spec.replication), String(copies), false);
    const entries = described.resources.find(({ resourceName }) => resourceName === topic);
    for (const [name, wanted] of Object.entries(spec.config)) {
      const entry = entries?.configEntries.find(({ configName }) => configName === name);
      differ(name, wanted, entry?.configValue ?? "", true);
    }
  }
  return differences;
}

/** Changes in place what can be: adds partitions, sets configuration. Gives what was changed. */
export async function alterTopics(
  admin: Admin,
  differences: readonly Difference[],
): Promise<readonly Difference[]> {
  const alterable = differences.filter(({ alterable: can }) => can);
  for (const { topic, name, wanted } of alterable)
    if (name === "partitions")
      await admin.createPartitions({ topicPartitions: [{ topic, count: Number(wanted) }] });
  const byTopic = Map.groupBy(
    alterable.filter(({ name }) => name !== "partitions"),
    ({ topic }) => topic,
  );
  if (byTopic.size === 0) return alterable;
  // The request replaces a topic's whole configuration: what an operator set beside ours is sent along.
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [...byTopic.keys()].map((name) => ({
      type: kafkaLibrary().ConfigResourceTypes.TOPIC,
      name,
    })),
  });
  await admin.alterConfigs({
    validateOnly: false,
    resources: resources.map(({ resourceName, configEntries }) => {
      const own = configEntries.filter(({ configSource }) => configSource === topicConfig);
      const entries = new Map(own.map(({ configName, configValue }) => [configName, configValue]));
      for (const { name, wanted } of byTopic.get(resourceName) ?? []) entries.set(name, wanted);
      return {
        type: kafkaLibrary().ConfigResourceTypes.TOPIC,
        name: resourceName,
        configEntries: [...entries].map(([name, value]) => ({ name, value })),
      };
    }),
  });
  return alterable;
}

/** `ConfigSource.TOPIC_CONFIG` of the protocol: set on the topic itself. */
const topicConfig = 1;
