import { setTimeout as pause } from "node:timers/promises";
import type { Environment } from "@heliograph/contracts";
import { openPlatform } from "@heliograph/platform";
import {
  listProjections,
  prepareConsumer,
  readRebuild,
  rebuildProjector,
  rebuildTogether,
  requestRebuild,
  withdrawRebuild,
  type ProjectionRow,
  type Projector,
  type RebuildResult,
  type ServiceContext,
} from "@heliograph/runtime";
import type pg from "pg";
import { services } from "../../services/ingress/src/index.ts";
import { newProgress } from "./progress.ts";
import { OpsError } from "./error.ts";
import type { Target } from "./target.ts";

const lookEveryMs = 200;
/** A process that runs the projector takes up a job within a second, unless it is busy with another one. */
const takeUpMs = 5_000;
/** It reports twice a second; when it dies, another one takes the job over after a minute. */
const silenceMs = 90_000;

type Job = {
  readonly environment: Environment;
  readonly verify: boolean;
  readonly interrupted: AbortSignal;
};

/**
 * Rebuilds projections, or verifies them, and waits for the end. The processes that run the projectors do the work; what no process runs, this one does. Several are worked on at once, and a process reads the log
 * once for all that it works on. True when all were rebuilt or are equal to the fold of the log. Throws the first failure, once all have ended.
 */
export async function rebuild(
  target: Target,
  names: readonly string[],
  environment: Environment,
  verify: boolean,
  interrupted: AbortSignal,
): Promise<boolean> {
  const job: Job = { environment, verify, interrupted };
  const pool = await target.pool(environment);
  const found = await listProjections(pool);
  for (const name of names)
    if (found.some((item) => item.name === name && item.kind === "reactor"))
      throw notReplayable(name);
  const asked: { readonly name: string; readonly id: string }[] = [];
  // All of them before the first is waited for, so that they are taken up together.
  for (const name of names)
    if (found.some((item) => item.name === name && isHosted(item)))
      asked.push({ name, id: (await requestRebuild(pool, name, verify)).id });
  const failed: unknown[] = [];
  const done = new Map<string, RebuildResult>();
  const gone = names.filter((name) => asked.every((each) => each.name !== name));
  await Promise.all(
    asked.map(async ({ name, id }) => {
      try {
        const result = await watch(pool, name, id, job);
        if (result === undefined) gone.push(name);
        else done.set(name, result);
      } catch (error) {
        failed.push(error);
      }
    }),
  );
  // In the order in which they were asked for, whichever was seen to be gone first.
  const here = names.filter((name) => gone.includes(name));
  for (const [name, outcome] of await runHere(target, here, job))
    if (outcome.status === "fulfilled") done.set(name, outcome.value);
    else failed.push(outcome.reason);
  for (const [name, result] of done) report(name, result, job);
  if (failed.length > 0) throw failed[0];
  return !verify || [...done.values()].every(({ equal }) => equal === true);
}

const isHosted = ({ status }: ProjectionRow): boolean =>
  status !== "silent" && status !== "stopped";

/** Undefined when nobody took the job up because the process that ran the projector is gone. */
async function watch(
  pool: pg.Pool,
  name: string,
  id: string,
  { environment, interrupted }: Job,
): Promise<RebuildResult | undefined> {
  const progress = newProgress(`${name} (${environment})`);
  const isGone = async (): Promise<boolean> =>
    !(await listProjections(pool)).some((item) => item.name === name && isHosted(item));
  let seen = "";
  let seenAt = performance.now();
  try {
    for (;;) {
      const job = await readRebuild(pool, id);
      if (job === undefined) throw new OpsError(`job ${id} is gone`);
      if (job.status === "done") return job.result!;
      if (job.status === "failed") throw new OpsError(`${name}: ${job.error}`);
      if (job.status === "canceled") throw new OpsError(`${name}: the rebuild was canceled`);
      // A job that has only just begun has not counted yet.
      if (job.status === "running" && job.total > 0) progress.show(job.processed, job.total);
      if (job.updated_at !== seen) {
        seen = job.updated_at;
        seenAt = performance.now();
      }
      const silentMs = performance.now() - seenAt;
      const waits = job.status === "requested" && silentMs > takeUpMs && (await isGone());
      if (waits && (await withdrawRebuild(pool, id))) return undefined;
      if (silentMs > silenceMs)
        throw new OpsError(`job ${id}: no progress for ${silenceMs / 1000} s`);
      if (interrupted.aborted) throw new OpsError(`job ${id} goes on without this command`);
      await pause(lookEveryMs);
    }
  } finally {
    progress.end();
  }
}

function report(
  name: string,
  { position, events, seconds, equal, differs }: RebuildResult,
  { environment, verify }: Job,
): void {
  const rate = seconds > 0 ? Math.round(events / seconds).toLocaleString("en") : "0";
  const what = `${events.toLocaleString("en")} events up to position ${position} in ${seconds} s (${rate} events/s)`;
  if (!verify) process.stdout.write(`${name} (${environment}) rebuilt: ${what}\n`);
  else if (equal === true)
    process.stdout.write(`${name} (${environment}) equals the fold of the log: ${what}\n`);
  else
    process.stdout.write(`${name} (${environment}) DIFFERS in ${differs?.join(", ")}: ${what}\n`);
}

const notReplayable = (name: string): OpsError =>
  new OpsError(`${name} is a reactor: it has effects and is never replayed`);

/** The same in this process. */
async function runHere(
  target: Target,
  names: readonly string[],
  { environment, verify, interrupted }: Job,
): Promise<readonly (readonly [string, PromiseSettledResult<RebuildResult>])[]> {
  if (names.length === 0) return [];
  const line = newProgress(`${names.join(", ")} (${environment})`);
  const results = await withProjectors(target, names, environment, async (context, projectors) => {
    process.stdout.write(`No process runs ${names.join(", ")} (${environment}): working here.\n`);
    const far = new Map(projectors.map((projector) => [projector, { at: 0n, of: 0n }]));
    const sum = (part: "at" | "of"): number =>
      [...far.values()].reduce((all, each) => all + Number(each[part]), 0);
    return rebuildTogether(context, projectors, async (projector, together) => {
      await prepareConsumer(context.pool, projector);
      return rebuildProjector(together.context, projector, {
        verifyOnly: verify,
        inTurn: together.inTurn,
        signal: interrupted,
        onProgress(at, of) {
          far.set(projector, { at, of });
          line.show(sum("at"), sum("of"));
        },
      });
    });
  }).finally(() => line.end());
  return names.map((name, index) => [name, results[index]!] as const);
}

/** Does something with projectors in this process, on the very code of the services. */
export async function withProjectors<Result>(
  target: Target,
  names: readonly string[],
  environment: Environment,
  work: (context: ServiceContext, projectors: readonly Projector[]) => Promise<Result>,
): Promise<Result> {
  // Projectors open no secrets, so this process needs no master key; without services nothing is seeded.
  const settings = { ...target.settings, services: [] };
  const platform = await openPlatform(settings, target.server, "unused", target.logger);
  try {
    const context = platform.contexts[environment];
    const consumers = services.flatMap((service) => service.consumers?.(context) ?? []);
    const projectors = names.map((name) => {
      const consumer = consumers.find((item) => item.name === name);
      if (consumer?.kind === "projector") return consumer;
      if (consumer !== undefined) throw notReplayable(name);
      const known = consumers.filter((item) => item.kind === "projector").map((item) => item.name);
      throw new OpsError(`there is no projection ${name}; there are ${known.join(", ")}`);
    });
    return await work(context, projectors);
  } finally {
    await platform.close();
  }
}
