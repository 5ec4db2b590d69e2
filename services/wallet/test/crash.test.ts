import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createDatabases, databaseConfig, serverOf } from "@heliograph/runtime";
import { openPostgresLog } from "@heliograph/log";
import { spawnService, testServer, until } from "@heliograph/testkit";
import { expect, test } from "vitest";
import { count, partnerOn, range } from "./harness.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

test("killed before and after its appends, the service still decides each message once", async () => {
  const { baseUrl, namePrefix, dropAll } = await testServer();
  const dataDir = await mkdtemp(join(tmpdir(), "wallet-"));
  const url = new URL(baseUrl);
  url.pathname = `/${namePrefix}wallet`;
  const server = serverOf(url.toString());
  await createDatabases(server);
  const log = await openPostgresLog({
    connection: databaseConfig(server, "sandbox"),
    namespace: "sandbox",
  });
  const start = (failpoint?: string) =>
    spawnService(main, {
      HELIOGRAPH_DATABASE_URL: url.toString(),
      HELIOGRAPH_MASTER_KEY: "0".repeat(64),
      HELIOGRAPH_DATA_DIR: dataDir,
      HELIOGRAPH_LOG_LEVEL: "warn",
      HELIOGRAPH_FAILPOINT: failpoint,
    });
  const killedAt = async (failpoint: string): Promise<void> => {
    const service = start(`${failpoint}:kill`);
    const { signal } = await service.exited;
    if (signal !== "SIGKILL") throw new Error(`${failpoint} was not passed:\n${service.output()}`);
  };
  try {
    const one = partnerOn(log);
    await one.topUp("0.6");
    await Promise.all(range(40).map((number) => one.request(number)));
    await killedAt("wallet.after_append");

    await Promise.all(range(60).map((number) => one.request(40 + number)));
    await Promise.all(range(10).map((number) => one.sent(number)));
    await killedAt("wallet.before_append");
    await killedAt("wallet.after_append");

    await one.undelivered(3);
    const last = start();
    await until(async () => count(await one.events(), "FundsRefunded") === 1, {
      timeoutMs: 20_000,
    });
    await last.stop();
    const events = await one.events();
    expect(count(events, "FundsHeld") + count(events, "FundsDeclined")).toBe(100);
    expect(count(events, "FundsHeld")).toBe(50);
    expect(await one.proof()).toMatchObject({
      balance: "0.012",
      held: "0.48",
      holds_open: 40,
      matches: true,
    });
  } finally {
    await log.close();
    await dropAll();
    await rm(dataDir, { recursive: true, force: true });
  }
}, 60_000);
