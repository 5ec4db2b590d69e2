import { newId } from "@heliograph/contracts";
import { freePort, startInstance, startKafka, until, whyNoOwnKafka } from "@heliograph/testkit";
import { Kafka, logLevel } from "kafkajs";
import { expect, it, onTestFinished } from "vitest";
import { afterAllStop, clientsOf, example, ownDataDir, reached, send } from "./setting.ts";

const skip = await whyNoOwnKafka();
const topic = "heliograph.sandbox.message";

type Told = { readonly id: string; readonly type: string; readonly sequence: number };

/** What an outside client reads from the topic, from its beginning. */
async function readTopic(brokers: readonly string[]): Promise<readonly Told[]> {
  const told: Told[] = [];
  const client = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const admin = client.admin();
  await admin.connect();
  onTestFinished(() => admin.disconnect());
  // A message may be delivered before the product has made its topics.
  await until(async () => (await admin.listTopics()).includes(topic), {
    timeoutMs: 20_000,
    what: `${topic} is there`,
  });
  const consumer = client.consumer({ groupId: `outside-${newId("req")}`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  onTestFinished(() => consumer.disconnect());
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message: { headers } }) => {
      const attribute = (name: string): string => String(headers![`ce_${name}`]);
      const sequence = Number(attribute("sequence"));
      told.push({ id: attribute("id"), type: attribute("type"), sequence });
    },
  });
  return told;
}

it.skipIf(skip)(
  "publishes the feed to the topics, with the log as the feed of its consumers and with Kafka",
  async () => {
    const broker = await startKafka();
    onTestFinished(() => broker.remove());
    const dataDir = ownDataDir();
    for (const feed of ["log", "kafka"]) {
      const instance = await startInstance({
        dataDir,
        env: { HELIOGRAPH_KAFKA_BROKERS: broker.brokers.join(), HELIOGRAPH_FEED: feed },
      });
      afterAllStop(instance);
      const { sandbox } = clientsOf(instance);
      await reached(sandbox, await send(sandbox, example), "delivered", 30_000);
      const listed = await until(
        async () => {
          const { body } = await sandbox.get("/events?limit=1000");
          return (body.data.at(-1)?.type === "message.delivered" && body.data) as Told[] | false;
        },
        { timeoutMs: 15_000, what: "the feed has it" },
      );
      const expected = listed.map(({ id, type, sequence }) => ({ id, type, sequence }));
      const told = await readTopic(broker.brokers);
      const inOrder = (): readonly Told[] =>
        told.toSorted((left, right) => left.sequence - right.sequence);
      await until(() => told.length >= expected.length, {
        timeoutMs: 20_000,
        what: `${expected.length} events are on the topic`,
      });
      expect(inOrder()).toEqual(expected);
      await instance.stop();
    }
  },
  150_000,
);

it("starts, accepts, delivers and stops without its brokers", async () => {
  const instance = await startInstance({
    dataDir: ownDataDir(),
    env: { HELIOGRAPH_KAFKA_BROKERS: `127.0.0.1:${await freePort()}` },
  });
  afterAllStop(instance);
  const { sandbox } = clientsOf(instance);
  await reached(sandbox, await send(sandbox, example), "delivered");
  expect((await sandbox.get("/readyz")).status).toBe(200);
  expect(await instance.stop()).toEqual({ code: 0, signal: null });
}, 60_000);
