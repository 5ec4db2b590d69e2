import { randomUUID } from "node:crypto";
import { type Environment, environments } from "@heliograph/contracts";
import { type ApiContext, type Call, type EnvironmentDeps, hosted } from "@heliograph/api";
import { isMachinery, keepLooking, type Looking } from "@heliograph/runtime";
import {
  claimBacktest,
  type ClaimedBacktest,
  finishBacktest,
  giveBack,
  noteProgress,
} from "../tables/backtests.ts";
import { runBacktest } from "./run.ts";
import { noSums, packSums, unpackSums } from "./sums.ts";

/** For those whose process is gone: who asks for a new one wakes the process that took the call. */
const lookEveryMs = 15_000;
/** What a crash lets be done again. */
const noteEveryMs = 2_000;

type Own = { readonly deps: EnvironmentDeps; readonly owner: string };

/** Runs one to its end, or until it is somebody else's, canceled, or this process closes. */
async function runClaimed(
  { deps, owner }: Own,
  { id, asked, reached, to, sums: kept }: ClaimedBacktest,
  signal: AbortSignal,
): Promise<void> {
  const { log, pool, vault, pressure } = deps;
  const sums = kept === null ? noSums() : unpackSums(kept);
  let notedAt = performance.now();
  let last = reached;
  const note = async (position: bigint): Promise<boolean> => {
    last = position;
    const now = performance.now();
    if (now - notedAt < noteEveryMs && position < to && !signal.aborted) return true;
    notedAt = now;
    const mine = await noteProgress(pool, id, owner, position, packSums(sums));
    return mine && !signal.aborted;
  };
  const reading = { log: log.forPartner(asked.by), vault, pressure };
  const complete = await runBacktest(reading, asked, { reached, to }, sums, note, signal);
  if (complete === undefined) return void (await giveBack(pool, id, owner));
  await noteProgress(pool, id, owner, last, packSums(sums));
  await finishBacktest(pool, id, owner, { complete });
}

/** Runs the backtests of one environment, one after the other, beside whatever this process serves. */
function openRunner(context: ApiContext, environment: Environment): Looking {
  const own: Own = { deps: context.environments[environment], owner: randomUUID() };
  const { owner } = own;
  const { pool } = own.deps;
  const logger = context.logger.child({ environment, part: "backtests" });

  async function look(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const claimed = await claimBacktest(pool, owner);
      if (claimed === undefined) return;
      try {
        await runClaimed(own, claimed, signal);
      } catch (error) {
        // Trouble with the database or the log passes: whoever looks next takes it up where it was.
        if (isMachinery(error)) {
          await giveBack(pool, claimed.id, owner).catch(() => undefined);
          throw error;
        }
        logger.error({ err: error, backtest: claimed.id }, "a backtest failed");
        await finishBacktest(pool, claimed.id, owner, {
          error: "it failed by a fault of the platform, which its log names",
        });
      }
    }
  }

  return keepLooking(look, lookEveryMs, (error) =>
    logger.warn({ err: error }, "backtests wait for what is away"),
  );
}

const state = hosted(async (context) => {
  const runners = {
    live: openRunner(context, "live"),
    sandbox: openRunner(context, "sandbox"),
  };
  return {
    runners,
    async close() {
      for (const environment of environments) await runners[environment].close();
    },
  };
});

/** Takes up what earlier processes left, in each process that serves the API. */
export const openBacktests = state.open;

/** Begins what has just been asked for in an environment. */
export const wakeBacktests = (
  call: Pick<Call<unknown, unknown>, "context">,
  environment: Environment,
): void => state.of(call).runners[environment].wake();
