import type pg from "pg";
import { streamOf } from "@heliograph/contracts";
import { readHolds, walletPositions } from "../src/tables/wallet.ts";
import { rebuildProjector, runConsumer } from "@heliograph/runtime";
import { until } from "@heliograph/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { service } from "../src/index.ts";
import { walletProjector } from "../src/projector.ts";
import { walletLedger } from "../src/reactor.ts";
import { openSandbox, partnerOn, range } from "./harness.ts";

let world: Awaited<ReturnType<typeof openSandbox>>;
beforeEach(async () => {
  world = await openSandbox("postgres");
});
afterEach(() => world.close());

test("the tables equal the fold of the log, also after a rebuild", async () => {
  const { context, log, pool } = world;
  expect(service.consumers!(context)).toEqual([walletProjector, walletLedger]);
  const running = [
    await runConsumer(walletProjector, context),
    await runConsumer(walletLedger, context),
  ];
  const one = partnerOn(log);
  await one.topUp("0.6");
  await Promise.all(range(100).map((number) => one.request(number)));
  const ids = range(100).map(one.idOf);
  const decided = await until(async () => {
    const { holds } = await readHolds(pool, ids, []);
    return holds.size === 100 && holds;
  });
  const held = range(100).filter((number) => decided.get(one.idOf(number))!.status === "held");
  expect(held.length).toBe(50);

  await Promise.all(
    held.map((number) => (number % 2 === 0 ? one.sent(number) : one.canceled(number))),
  );
  const failed = held.filter((number) => number % 4 === 0);
  await Promise.all(failed.map((number) => one.undelivered(number)));
  await until(async () => (await readWallet(pool, one.partner))?.held === "0");
  await running[1]!.caughtUp(await log.head());
  await running[0]!.caughtUp(await log.head());

  const proven = await one.proof();
  const last = (
    await log.readStream(streamOf("wallet", one.partner), { backwards: true, limit: 1 })
  )[0]!;
  expect(proven).toMatchObject({ matches: true, holds_open: 0 });
  expect(await readWallet(pool, one.partner)).toEqual({
    partner: one.partner,
    available: proven.balance,
    held: "0",
    currency: "USD",
    revision: last.revision,
    position: last.position,
  });

  const positions = await walletPositions(pool, [one.idOf(failed[0]!)]);
  const types = [];
  for (const position of positions.get(one.idOf(failed[0]!))!)
    types.push((await log.readAt(position))!.type);
  expect(types).toEqual(["FundsHeld", "FundsCaptured", "FundsRefunded"]);

  const options = { verifyOnly: true, signal: new AbortController().signal };
  expect(await rebuildProjector(context, walletProjector, options)).toMatchObject({ equal: true });
  for (const consumer of running) await consumer.stop();
});

test("an owner that was replaced behind its back is fenced, and nothing is settled twice", async () => {
  const { context, log } = world;
  const first = await runConsumer(walletLedger, context);
  const one = partnerOn(log);
  await one.topUp("0.12");
  await one.request(0);
  await first.caughtUp(await log.head());
  // Another owner takes over behind its back: it raises the epoch and goes on from the checkpoint.
  await world.pool.query("update wallet_ledger.checkpoint set epoch = epoch + 1");
  await Promise.all(range(20).map((number) => one.request(number + 1)));
  await first.caughtUp(await log.head());
  await first.stop();
  expect(await one.proof()).toMatchObject({
    balance: "0",
    held: "0.12",
    holds_open: 10,
    matches: true,
  });
});

/** A wallet's row as far as the projector has come. */
async function readWallet(pool: pg.Pool, partner: string) {
  const { rows } = await pool.query(
    "select partner, available, held, currency, revision, position::text from wallet.wallets where partner = $1",
    [partner],
  );
  return rows[0] && { ...rows[0], position: BigInt(rows[0].position) };
}
