import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  apiClient,
  newDataDir,
  removeDataDir,
  spawnService,
  startInstance,
} from "@heliograph/testkit";
import { afterAll, expect, test } from "vitest";
import { cases } from "./cases.ts";

const main = new URL("main.ts", import.meta.url).pathname;
const dataDir = newDataDir();
const testTimeoutMs = 150_000;
const environment = {
  HELIOGRAPH_DATA_DIR: dataDir,
  HELIOGRAPH_PORT: "0",
  HELIOGRAPH_DATABASE_URL: "",
  NO_COLOR: "1",
};
const runDemo = async () => {
  const demo = spawnService(main, environment);
  const { code } = await demo.exited;
  return { code, output: demo.output() };
};

afterAll(() => removeDataDir(dataDir));

test(
  "the demo starts an instance, sees every outcome with its webhooks verified, and stops it",
  { timeout: testTimeoutMs },
  async () => {
    const { code, output } = await runDemo();
    expect(output).toContain(`All ${cases.length} outcomes are as expected.`);
    for (const { name } of cases) expect(output).toMatch(new RegExp(`^ {2}✓ {2}${name} `, "m"));
    expect(output).toMatch(/✓ {2}example +delivered +delivered +0\.012 USD +3\/3/);
    expect(output).toContain("same Idempotency-Key, same message");
    expect(output).toMatch(/DispatchAttemptFailed .*attempt 2 of 6 follows after \d+ ms/);
    expect(code).toBe(0);
    expect(existsSync(join(dataDir, "dev.json"))).toBe(false);
  },
);

test(
  "an instance that refuses webhooks to this machine is used all the same, and left as it was",
  { timeout: testTimeoutMs },
  async () => {
    const instance = await startInstance({ dataDir, env: { HELIOGRAPH_RETRY_SCALE: "0.05" } });
    try {
      const { code, output } = await runDemo();
      expect(output.match(/^No webhooks: .*HELIOGRAPH_WEBHOOK_ALLOW_CIDRS.*$/gm)).toHaveLength(1);
      expect(output).toContain(`All ${cases.length} outcomes are as expected.`);
      expect(code).toBe(0);
      const api = apiClient(instance.baseUrl, instance.sandboxKey);
      expect((await api.get("/webhook-endpoints")).body.data).toEqual([]);
    } finally {
      await instance.stop();
    }
  },
);

test("an instance that cannot start is reported with its own line", async () => {
  const demo = spawnService(main, { ...environment, HELIOGRAPH_RETRY_SCALE: "fast" });
  expect((await demo.exited).code).toBe(1);
  expect(demo.output()).toContain('HELIOGRAPH_RETRY_SCALE: "fast" is not a number');
});
