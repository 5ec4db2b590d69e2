import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  freePort,
  newDataDir,
  removeDataDir,
  spawnService,
  whyNoOwnKafka,
  until,
} from "@heliograph/testkit";
import { afterAll, expect, test } from "vitest";

const main = new URL("main.ts", import.meta.url).pathname;
const dataDir = newDataDir();
const skip = await whyNoOwnKafka();
/** A dozen processes in a row, each slow to start on a busy machine. */
const testTimeoutMs = 180_000;

/** Runs the command on this test's own data folder. */
async function kafka(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const command = spawnService(
    main,
    { HELIOGRAPH_DATA_DIR: dataDir, HELIOGRAPH_KAFKA_BROKERS: "", ...env },
    args,
  );
  const { code } = await command.exited;
  return { code, output: command.output() };
}
const pidOfBroker = (): number =>
  JSON.parse(readFileSync(join(dataDir, "kafka/broker.json"), "utf8")).pid;

afterAll(async () => {
  await kafka(["down", "--remove"]);
  await removeDataDir(dataDir);
  await removeDataDir(`${dataDir}-second`);
});

test.skipIf(skip)(
  "a broker is brought up once, keeps its topics over a restart, and differences are told and altered",
  async () => {
    const port = await freePort();
    const brokers = `HELIOGRAPH_KAFKA_BROKERS=127.0.0.1:${port}\n`;
    expect(await kafka(["up", "--port", String(port)])).toEqual({ code: 0, output: brokers });
    const pid = pidOfBroker();
    expect(await kafka(["up"])).toEqual({ code: 0, output: brokers });
    expect(pidOfBroker()).toBe(pid);
    const second = await kafka(["up", "--port", String(port)], {
      HELIOGRAPH_DATA_DIR: `${dataDir}-second`,
    });
    expect(second.output).toContain(`another broker answers on port ${port}`);
    expect(second.code).toBe(2);

    const missing = await kafka(["topics", "--check"]);
    expect(missing.code).toBe(1);
    expect(missing.output).toContain("missing  heliograph.live.log\n");
    const created = await kafka(["topics"]);
    expect(created.output).toContain("created  heliograph.sandbox.wallet\n");
    expect(created.output).toMatch(/^10 topics are as wanted$/m);

    expect((await kafka(["down"])).output).toBe("the broker has stopped\n");
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
    expect((await kafka(["down"])).output).toContain("no broker runs on");
    expect((await kafka(["up"])).output).toBe(brokers);
    expect(await kafka(["topics", "--check"])).toEqual({
      code: 0,
      output: "10 topics are as wanted\n",
    });

    const more = { HELIOGRAPH_KAFKA_SHARDS: "9" };
    const differs = await kafka(["topics", "--check"], more);
    expect(differs.code).toBe(1);
    expect(differs.output).toContain(
      "differs  heliograph.live.log: partitions is 8, wanted 9\n".trim(),
    );
    expect((await kafka(["topics", "--apply"], more)).output).toContain(
      "altered  heliograph.live.log: partitions is 8, wanted 9",
    );
    // What was altered shows in the metadata of the brokers a moment later.
    await until(async () => (await kafka(["topics", "--check"], more)).code === 0, {
      timeoutMs: 20_000,
      what: "nothing differs any more",
    });
    const fewer = await kafka(["topics", "--apply"]);
    expect(fewer.output).toContain("partitions are never taken away");
  },
  testTimeoutMs,
);

test("without a broker, and with brokers that are away, the command says so and ends", async () => {
  const none = await kafka(["topics"], { HELIOGRAPH_DATA_DIR: `${dataDir}-none` });
  expect(none.output).toContain("kafka: set HELIOGRAPH_KAFKA_BROKERS, or start a broker");
  expect(none.code).toBe(2);
  const away = await kafka(["topics"], {
    HELIOGRAPH_KAFKA_BROKERS: `127.0.0.1:${await freePort()}`,
  });
  expect(away.output).toContain("ECONNREFUSED");
  expect(away.code).toBe(2);
});
