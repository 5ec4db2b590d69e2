import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { newId } from "@heliograph/contracts";
import { kafkaClient } from "@heliograph/kafka";
import { newLogger, runConsumer, type KafkaSettings } from "@heliograph/runtime";
import {
  freePort,
  kafkaJars,
  startKafka,
  until,
  whyNoOwnKafka,
  type KafkaBroker,
} from "@heliograph/testkit";
import kafkajs from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { topicsReactor } from "../src/topics/reactor.ts";
import { kafkaSettings, openWorld, type World } from "./topics-harness.ts";

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;
const skip = await whyNoOwnKafka();
const [partner, other] = [newId("ptn"), newId("ptn")];
const password = "correct-horse";
let world: World;
let broker: KafkaBroker;
/** As Heliograph and the operator reach the brokers, and as the partner does. */
let own: KafkaSettings;
let theirs: KafkaSettings;

/** The commands of the page, with the variables filled in and lines joined, for the sandbox. */
function commands(): readonly (readonly string[])[] {
  const page = new URL("../../../docs/operating/partner-topics.md", import.meta.url);
  const block = /```sh\n([\s\S]*?)```/.exec(readFileSync(page, "utf8"))![1]!;
  return block
    .replaceAll("\\\n", " ")
    .replaceAll("$PARTNER", partner)
    .replaceAll("$PASSWORD", password)
    .replaceAll("$BROKERS", broker.brokers[0]!)
    .replaceAll("heliograph.live.", "heliograph.sandbox.")
    .replaceAll("--command-config admin.properties", "")
    .trim()
    .split("\n")
    .map((line) => line.match(/"[^"]*"|\S+/g)!.map((word) => word.replaceAll('"', "")));
}

/** What `kafka-acls.sh --add` does with these arguments; the tool itself is not among the broker's jars. */
async function addRule(words: readonly string[]): Promise<void> {
  const valueOf = (flag: string): string | undefined =>
    words.includes(flag) ? words[words.indexOf(flag) + 1] : undefined;
  const operations = words.flatMap((word, index) =>
    word === "--operation" ? [words[index + 1]!] : [],
  );
  const topic = valueOf("--topic");
  const admin = kafkaClient(own, "operator", newLogger("silent")).admin();
  await admin.connect();
  await admin.createAcls({
    acl: operations.map((operation) => ({
      resourceType: topic === undefined ? AclResourceTypes.GROUP : AclResourceTypes.TOPIC,
      resourceName: topic ?? valueOf("--group")!,
      resourcePatternType:
        valueOf("--resource-pattern-type") === "prefixed"
          ? ResourcePatternTypes.PREFIXED
          : ResourcePatternTypes.LITERAL,
      principal: valueOf("--allow-principal")!,
      host: "*",
      operation: operation === "Read" ? AclOperationTypes.READ : AclOperationTypes.DESCRIBE,
      permissionType: AclPermissionTypes.ALLOW,
    })),
  });
  await admin.disconnect();
}

beforeAll(async () => {
  if (skip !== undefined) return;
  const [plain, sasl, controller] = [await freePort(), await freePort(), await freePort()];
  const listeners = `PLAINTEXT://127.0.0.1:${plain},SASL://127.0.0.1:${sasl},CONTROLLER://127.0.0.1:${controller}`;
  broker = await startKafka({
    port: plain,
    properties: {
      listeners,
      "advertised.listeners": listeners,
      "controller.quorum.bootstrap.servers": `127.0.0.1:${controller}`,
      "listener.security.protocol.map":
        "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT",
      "inter.broker.listener.name": "PLAINTEXT",
      "sasl.enabled.mechanisms": "SCRAM-SHA-512",
      "listener.name.sasl.scram-sha-512.sasl.jaas.config":
        "org.apache.kafka.common.security.scram.ScramLoginModule required;",
      "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      "super.users": "User:ANONYMOUS",
    },
  });
  own = kafkaSettings(broker.brokers, [partner, other]);
  theirs = {
    ...kafkaSettings([`127.0.0.1:${sasl}`]),
    sasl: { mechanism: "scram-sha-512", username: partner, password },
  };
  world = await openWorld();
  await world.message(partner);
  await world.message(other);
  const topics = await runConsumer(topicsReactor(own), world.context);
  await topics.caughtUp(await world.log.head());
  await topics.stop();
  for (const [tool, ...words] of commands())
    if (tool === "kafka-configs.sh")
      await promisify(execFile)("java", [
        "-XX:TieredStopAtLevel=1",
        "-cp",
        `${await kafkaJars()}/*`,
        "kafka.admin.ConfigCommand",
        ...words,
      ]);
    else await addRule(words);
}, 120_000);
afterAll(async () => {
  await world?.close();
  await broker?.remove();
});

/** The partners of the records that the partner's own user gets from a topic; the error when it gets none. A group's coordinator that is loading has said nothing yet. */
const readAs = (topic: string, groupId: string): Promise<readonly string[] | string> =>
  until(
    async () => {
      const result = await readOnce(topic, groupId);
      return /coordinator is loading/.test(String(result)) ? undefined : result;
    },
    { timeoutMs: 30_000, what: "the coordinator is there" },
  );

async function readOnce(topic: string, groupId: string): Promise<readonly string[] | string> {
  const consumer = kafkaClient(theirs, "partner", newLogger("silent")).consumer({
    groupId,
    maxWaitTimeInMs: 100,
  });
  const read: string[] = [];
  let crash: string | undefined;
  consumer.on("consumer.crash", ({ payload }) => void (crash = payload.error.message));
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => void read.push(String(message.headers!["ce_partner"])),
    });
    return await until(() => (read.length >= 3 && read) || crash, {
      timeoutMs: 30_000,
      what: "it is read or refused",
    });
  } catch (error) {
    return (error as Error).message;
  } finally {
    await consumer.disconnect();
  }
}

test.skipIf(skip)("by the documented rules a partner reads its own events", async () => {
  expect(await readAs(`heliograph.sandbox.partner.${partner}.message`, `${partner}-app`)).toEqual([
    partner,
    partner,
    partner,
  ]);
});

test.skipIf(skip).each([
  ["the shared topic", "heliograph.sandbox.message", partner, /not authorized/i],
  [
    "another partner's topic",
    `heliograph.sandbox.partner.${other}.message`,
    partner,
    /not authorized/i,
  ],
  ["the log's topic", "heliograph.sandbox.log", partner, /not authorized/i],
  [
    "its topic by a foreign group",
    `heliograph.sandbox.partner.${partner}.message`,
    "somebody",
    /group coordinator/i,
  ],
])("and nothing else: not %s", async (_, topic, group, reason) => {
  expect(await readAs(topic, group)).toMatch(reason);
});
