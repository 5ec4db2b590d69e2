import { type Environment, environments } from "@heliograph/contracts";
import { type ApiContext, type Call, type EnvironmentDeps, hosted } from "@heliograph/api";
import { type JobEnd, type Looking, type NoteJob, runJobs } from "@heliograph/runtime";
import { backtestJobs, type ClaimedBacktest } from "../tables/backtests.ts";
import { runBacktest } from "./run.ts";
import { noSums, packSums, unpackSums } from "./sums.ts";

/** What a crash lets be done again. */
const noteEveryMs = 2_000;

/** Runs one to its end, or until it is somebody else's, canceled, or this process closes. */
async function runClaimed(
  { log, vault, pressure }: EnvironmentDeps,
  { asked, reached, to, sums: kept }: ClaimedBacktest,
  noteJob: NoteJob,
  signal: AbortSignal,
): Promise<JobEnd | { readonly afterMs: number }> {
  const sums = kept === null ? noSums() : unpackSums(kept);
  let notedAt = performance.now();
  let last = reached;
  const keep = (): Promise<boolean> => noteJob({ reached: last, sums: packSums(sums) });
  const note = async (position: bigint): Promise<boolean> => {
    last = position;
    const now = performance.now();
    if (now - notedAt < noteEveryMs && position < to && !signal.aborted) return true;
    notedAt = now;
    return (await keep()) && !signal.aborted;
  };
  const reading = { log: log.forPartner(asked.by), vault, pressure };
  const complete = await runBacktest(reading, asked, { reached, to }, sums, note, signal);
  if (complete === undefined) return { afterMs: 0 };
  await keep();
  return { complete };
}

/** Runs the backtests of one environment. */
function openRunner(context: ApiContext, environment: Environment): Looking {
  const deps = context.environments[environment];
  return runJobs({
    pool: deps.pool,
    table: backtestJobs,
    what: "backtest",
    logger: context.logger.child({ environment, part: "backtests" }),
    run: (claimed, note, signal) => runClaimed(deps, claimed, note, signal),
  });
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
