import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { testBrowser } from "../src/browser.ts";
import { programMissing, testKafka, whyNoOwnKafka } from "../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "heliograph-require-"));
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As on a machine that has no Java, no jars from before and no broker. */
function withoutKafka(required: string): void {
  vi.stubEnv("HELIOGRAPH_TEST_KAFKA", undefined);
  vi.stubEnv("HELIOGRAPH_TEST_KAFKA_BROKERS", undefined);
  vi.stubEnv("XDG_CACHE_HOME", folder);
  vi.stubEnv("PATH", folder);
  vi.stubEnv("HELIOGRAPH_TEST_REQUIRE", required);
}

test("where there is no Kafka, its tests are skipped and told why", async () => {
  withoutKafka("");
  expect(await testKafka()).toEqual({ skip: "the run's global setup keeps no broker" });
  expect(await whyNoOwnKafka()).toMatch(/java does not answer/);
});

test("where Kafka is required, a skip is a failure", async () => {
  withoutKafka("kafka");
  await expect(testKafka()).rejects.toThrow("this run requires Kafka");
  await expect(whyNoOwnKafka()).rejects.toThrow("this run requires Kafka");
});

test("where a browser is required, a skip is a failure", async () => {
  vi.stubEnv("HELIOGRAPH_TEST_BROWSER", join(folder, "none"));
  vi.stubEnv("HELIOGRAPH_TEST_REQUIRE", "");
  expect(await testBrowser()).toEqual({ skip: expect.stringMatching(/^no browser: /) });
  vi.stubEnv("HELIOGRAPH_TEST_REQUIRE", "kafka,browser");
  await expect(testBrowser()).rejects.toThrow("this run requires a browser");
});

test("where a program of somebody else's is required, a skip is a failure", () => {
  vi.stubEnv("PATH", folder);
  vi.stubEnv("HELIOGRAPH_TEST_REQUIRE", "nginx");
  expect(programMissing("haproxy")).toMatch(/^haproxy is not there/);
  expect(() => programMissing("nginx")).toThrow("this run requires nginx");
});

test("a misspelt requirement is refused", async () => {
  withoutKafka("kafak");
  await expect(testKafka()).rejects.toThrow('"kafak" is not kafka or browser or promtool');
});

test("the continuous integration requires Kafka and a browser, and what its caller has besides", () => {
  const npm = join(folder, "npm");
  writeFileSync(npm, '#!/bin/sh\necho "$1 requires $HELIOGRAPH_TEST_REQUIRE"\n');
  chmodSync(npm, 0o755);
  const script = new URL("../../../.ci/run", import.meta.url).pathname;
  const PATH = `${folder}${delimiter}${process.env["PATH"]}`;
  const run = (env: Readonly<Record<string, string>>) =>
    spawnSync("bash", [script], { env: { PATH, ...env }, encoding: "utf8" });
  expect(run({})).toMatchObject({ status: 0, stdout: "test requires kafka,browser\n" });
  expect(run({ HELIOGRAPH_TEST_REQUIRE: "nginx" }).stdout).toBe(
    "test requires kafka,browser,nginx\n",
  );
});
