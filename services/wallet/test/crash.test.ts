import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { streamOf } from "@heliograph/contracts";
import { createDatabases, databaseConfig, serverOf } from "@heliograph/runtime";
import { openPostgresLog } from "@heliograph/log";
import { spawnService, testServer, until } from "@heliograph/testkit";
import pg from "pg";
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
  const open = new pg.Pool({ ...databaseConfig(server, "sandbox"), max: 1 });
  const start = (failpoint?: string) =>
    spawnService(main, {
      HELIOGRAPH_DATABASE_URL: url.toString(),
      HELIOGRAPH_MASTER_KEY: "0".repeat(64),
      HELIOGRAPH_DATA_DIR: dataDir,
      HELIOGRAPH_LOG_LEVEL: "warn",
      HELIOGRAPH_HOLD_GRACE_HOURS: "0",
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
    // Of a message that is over: its hold lapses. Killed when that was asked for and is still noted, it is asked for once all the same.
    await one.request(100, "2026-01-01T00:00:00.000Z");
    await killedAt("wallet.after_lapse");
    const last = start();
    await until(
      async () => {
        const { rows } = await open.query(
          "select from wallet_ledger.open_holds where due_at < now()",
        );
        return count(await one.events(), "FundsExpired") === 1 && rows.length === 0;
      },
      { timeoutMs: 20_000 },
    );
    await last.stop();
    expect(await log.readStream(streamOf("hold", one.idOf(100)))).toHaveLength(1);
    const events = await one.events();
    expect(count(events, "FundsRefunded")).toBe(1);
    expect(count(events, "FundsHeld") + count(events, "FundsDeclined")).toBe(101);
    expect(count(events, "FundsHeld")).toBe(51);
    expect(await one.proof()).toMatchObject({
      balance: "0.012",
      held: "0.48",
      holds_open: 40,
      matches: true,
    });
  } finally {
    await open.end();
    await log.close();
    await dropAll();
    await rm(dataDir, { recursive: true, force: true });
  }
}, 60_000);
