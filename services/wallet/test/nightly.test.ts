import { streamOf } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import { runConsumer } from "@heliograph/runtime";
import { until } from "@heliograph/testkit";
import { openWorld } from "@heliograph/testkit/world";
import { expect, test } from "vitest";
import { service } from "../src/index.ts";
import { openNightlyProof } from "../src/nightly.ts";
import { proofMismatches } from "../src/metrics.ts";
import { walletProjector } from "../src/projector.ts";
import { walletLedger } from "../src/reactor.ts";
import { partnerOn } from "./harness.ts";

test("the nightly proof finds a wallet that was tampered with, after a restart too, and says when it is mended", async () => {
  const world = await openWorld({ services: [service] });
  const { sandbox: context } = world.platform.contexts;
  const { pool, log } = context;
  const run = () =>
    Promise.all([walletProjector, walletLedger].map((each) => runConsumer(each, context)));
  const proofs = async () =>
    (await pool.query("select wallet, mismatch from wallet_ledger.proofs order by wallet")).rows;
  const gauge = async (): Promise<number | undefined> =>
    (await proofMismatches.get()).values.find(({ labels }) => labels.environment === "sandbox")
      ?.value;
  const night = () => pool.query("update wallet_ledger.proof_runs set due_at = now()");

  let running = await run();
  const [honest, tampered, lost] = [partnerOn(log), partnerOn(log), partnerOn(log)];
  for (const one of [honest, tampered, lost]) {
    await one.topUp("0.05");
    await one.request(0);
  }
  await running[1]!.caughtUp(await log.head());
  await running[0]!.caughtUp(await log.head());
  expect(await proofs()).toEqual([]);
  for (const consumer of running) await consumer.stop();
  const set = (available: string) =>
    pool.query("update wallet.wallets set available = $1 where partner = $2", [
      available,
      tampered.partner,
    ]);
  await set("0.06");
  // A hold that is shown as captured while the balance is right.
  const setHold = (captured: number | null) =>
    pool.query("update wallet.holds set captured_position = $1 where partner = $2", [
      captured,
      lost.partner,
    ]);
  await setHold(1);
  await night();

  running = await run();
  await until(async () => (await gauge()) === 2);
  const found = await proofs();
  expect(found).toHaveLength(3);
  expect(found.find(({ wallet }) => wallet === lost.partner).mismatch).toBe(
    "0 open holds of 0 are shown, 1 of 0.012 are in the log",
  );
  expect(found.find(({ wallet }) => wallet === honest.partner).mismatch).toBeNull();
  expect(found.find(({ wallet }) => wallet === tampered.partner).mismatch).toBe(
    "0.06 available and 0.012 held are shown, 0.038 and 0.012 are in the log",
  );
  for (const consumer of running) await consumer.stop();

  // The next night is a day away; what was found is still told after a restart.
  proofMismatches.set({ environment: "sandbox" }, 0);
  running = await run();
  await until(async () => (await gauge()) === 2);
  for (const consumer of running) await consumer.stop();
  await set("0.038");
  await setHold(null);
  await night();
  running = await run();
  await until(async () => (await gauge()) === 0);
  for (const consumer of running) await consumer.stop();

  // One that cannot be computed is found too, and the others are computed.
  const broken: EventLog = {
    ...log,
    scanStream: (stream, options) => {
      if (stream === streamOf("wallet", lost.partner)) throw new TypeError("it is damaged");
      return log.scanStream(stream, options);
    },
  };
  await night();
  const { signal } = new AbortController();
  const about = { context: { ...context, log: broken }, logger: context.logger, signal };
  const nightly = openNightlyProof(about);
  await until(async () => (await gauge()) === 1);
  await nightly.stop();
  expect((await proofs()).map(({ mismatch }) => mismatch).filter(Boolean)).toEqual([
    "it cannot be computed: it is damaged",
  ]);
  await world.close();
});
