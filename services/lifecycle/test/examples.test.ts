import { spawnSync } from "node:child_process";
import { newId } from "@heliograph/contracts";
import { runConsumer } from "@heliograph/runtime";
import {
  kafkaJars,
  spawnProgram,
  testKafka,
  until,
  whyNoOwnKafka,
  type SpawnedService,
} from "@heliograph/testkit";
import { afterEach, expect, test } from "vitest";
import { topicsReactor } from "../src/topics/reactor.ts";
import { kafkaSettings, openWorld, type World } from "./topics-harness.ts";

const kafka = await testKafka();
/** The Python that has the client: the usual one, or that of `HELIOGRAPH_TEST_PYTHON`. */
const python = process.env["HELIOGRAPH_TEST_PYTHON"] || "python3";
function whyNoPython(): string | undefined {
  const { status } = spawnSync(python, ["-c", "import confluent_kafka"], { stdio: "ignore" });
  if (status === 0) return undefined;
  process.stderr.write(`no consumer for Python: ${python} has no confluent-kafka\n`);
  return "no Python";
}
const noPython = kafka.skip ?? whyNoPython();
const noJava = kafka.skip ?? (await whyNoOwnKafka());
const fileOf = (name: string): string =>
  new URL(`../../../docs/examples/${name}`, import.meta.url).pathname;

let world: World | undefined;
let running: SpawnedService | undefined;
afterEach(async () => {
  await running?.stop();
  await world?.close();
  running = world = undefined;
});

/** Runs the reactor until everything is published. */
async function publish(settings: ReturnType<typeof kafkaSettings>): Promise<void> {
  const topics = await runConsumer(topicsReactor(settings), world!.context);
  await topics.caughtUp(await world!.log.head());
  await topics.stop();
}

/** What an example must do, whatever it is written in: print each event once, in order, go on where it was stopped. */
async function expectConsumer(start: (env: NodeJS.ProcessEnv) => SpawnedService): Promise<void> {
  const lost = start({ BROKERS: kafka.brokers!.join(), TOPICS: "heliograph.live.nothing" });
  expect((await lost.exited).code).toBe(1);
  expect(lost.output().trimEnd().split("\n").at(-1)).toMatch(/^There is no topic \S+nothing,/);
  expect(lost.output()).not.toMatch(/\n\s+at |Traceback/);

  const partner = newId("ptn");
  const settings = kafkaSettings(kafka.brokers!, [partner]);
  const { message, pool } = (world = await openWorld());
  const env = {
    BROKERS: kafka.brokers!.join(),
    TOPICS: `heliograph.sandbox.partner.${partner}.message`,
    GROUP: `example-${partner}`,
  };
  const lines = (): readonly string[] =>
    /** what is no event is a warning */
    running!
      .output()
      .split("\n")
      .filter((line) => line.startsWith("message."));
  const printed = async (count: number): Promise<readonly string[]> =>
    until(() => lines().length >= count && lines(), {
      timeoutMs: 40_000,
      what: `${count} events are printed`,
    }).catch((error: Error) => {
      throw new Error(`${error.message}; it printed:\n${running!.output()}`);
    });
  const story = (id: string, first: number): readonly string[] =>
    ["queued", "sent", "delivered"].map(
      (name, index) => `message.${name} ${id} ${first + index} {"message_id":"${id}",`,
    );
  const expectLines = (found: readonly string[], expected: readonly string[]): void => {
    expect(found.map((line, index) => line.slice(0, expected[index]?.length))).toEqual(expected);
  };

  const first = await message(partner);
  await publish(settings);
  running = start(env);
  expectLines(await printed(3), story(first, 1));
  // Everything comes once more, as after a crash between publishing and noting it.
  await pool.query("update topics.checkpoint set position = 0");
  await pool.query("truncate topics.sequences");
  const second = await message(partner);
  await publish(settings);
  expectLines(await printed(6), [...story(first, 1), ...story(second, 4)]);
  // In time, by itself.
  expect((await running.stop()).signal).toBeNull();
  const third = await message(partner);
  await publish(settings);
  running = start(env);
  expectLines(await printed(3), story(third, 7));
}

test.skipIf(kafka.skip)(
  "the consumer for Node prints each event once and goes on where it was stopped",
  () => expectConsumer((env) => spawnProgram(process.execPath, [fileOf("consumer.mjs")], env)),
  90_000,
);

test.skipIf(noJava)(
  "the consumer for Java, with the ordinary client, does the same",
  async () => {
    const classPath = `${await kafkaJars()}/*`;
    await expectConsumer((env) =>
      spawnProgram(
        "java",
        ["-XX:TieredStopAtLevel=1", "-cp", classPath, fileOf("java/Consumer.java")],
        env,
      ),
    );
  },
  120_000,
);

test.skipIf(noPython)(
  "the consumer for Python does the same",
  () => expectConsumer((env) => spawnProgram(python, [fileOf("consumer.py")], env)),
  90_000,
);
