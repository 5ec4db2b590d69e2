import { setTimeout as pause } from "node:timers/promises";
import type { Environment } from "@heliograph/contracts";
import { openPlatform } from "@heliograph/platform";
import {
  listProjections,
  prepareConsumer,
  readRebuild,
  rebuildProjector,
  requestRebuild,
  withdrawRebuild,
  type Projector,
  type RebuildResult,
  type ServiceContext,
} from "@heliograph/runtime";
import { services } from "../../services/ingress/src/index.ts";
import { newProgress } from "./progress.ts";
import { OpsError } from "./error.ts";
import type { Target } from "./target.ts";

const lookEveryMs = 200;
/** A process that runs the projector takes up a job within a second, unless it is busy with another one. */
const takeUpMs = 5_000;
/** It reports twice a second; when it dies, another one takes the job over after a minute. */
const silenceMs = 90_000;

/**
 * Rebuilds a projection, or verifies it, and waits for the end. The process that runs the projector does the work; when none does, this one. True
 * when it was rebuilt or is equal to the fold of the log.
 */
export async function rebuild(
  target: Target,
  name: string,
  environment: Environment,
  verify: boolean,
  interrupted: AbortSignal,
): Promise<boolean> {
  const pool = await target.pool(environment);
  const find = async () => (await listProjections(pool)).find((item) => item.name === name);
  const isHosted = async (): Promise<boolean> => {
    const row = await find();
    return row !== undefined && row.status !== "silent" && row.status !== "stopped";
  };
  if ((await find())?.kind === "reactor") throw notReplayable(name);
  const result = (await isHosted()) ? await watch() : undefined;
  return report(result ?? (await runHere(target, name, environment, verify, interrupted)));

  /** Undefined when nobody took the job up because the process that ran the projector is gone. */
  async function watch(): Promise<RebuildResult | undefined> {
    const { id } = await requestRebuild(pool, name, verify);
    const progress = newProgress(`${name} (${environment})`);
    let seen = "";
    let seenAt = performance.now();
    try {
      for (;;) {
        const job = await readRebuild(pool, id);
        if (job === undefined) throw new OpsError(`job ${id} is gone`);
        if (job.status === "done") return job.result!;
        if (job.status === "failed") throw new OpsError(`${name}: ${job.error}`);
        // A job that has only just begun has not counted yet.
        if (job.status === "running" && job.total > 0) progress.show(job.processed, job.total);
        if (job.updated_at !== seen) {
          seen = job.updated_at;
          seenAt = performance.now();
        }
        const silentMs = performance.now() - seenAt;
        const waits = job.status === "requested" && silentMs > takeUpMs && !(await isHosted());
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

  function report({ position, events, seconds, equal, differs }: RebuildResult): boolean {
    const rate = seconds > 0 ? Math.round(events / seconds).toLocaleString("en") : "0";
    const what = `${events.toLocaleString("en")} events up to position ${position} in ${seconds} s (${rate} events/s)`;
    if (!verify) process.stdout.write(`${name} (${environment}) rebuilt: ${what}\n`);
    else if (equal === true)
      process.stdout.write(`${name} (${environment}) equals the fold of the log: ${what}\n`);
    else
      process.stdout.write(`${name} (${environment}) DIFFERS in ${differs?.join(", ")}: ${what}\n`);
    return !verify || equal === true;
  }
}

const notReplayable = (name: string): OpsError =>
  new OpsError(`${name} is a reactor: it has effects and is never replayed`);

/** The same in this process. */
const runHere = (
  target: Target,
  name: string,
  environment: Environment,
  verify: boolean,
  interrupted: AbortSignal,
): Promise<RebuildResult> =>
  withProjector(target, name, environment, async (context, projector, onProgress) => {
    process.stdout.write(`No process runs ${name} (${environment}): working here.\n`);
    await prepareConsumer(context.pool, projector);
    return rebuildProjector(context, projector, {
      verifyOnly: verify,
      signal: interrupted,
      onProgress,
    });
  });

/** Does something with a projector in this process, on the very code of the services. */
export async function withProjector<Result>(
  target: Target,
  name: string,
  environment: Environment,
  work: (
    context: ServiceContext,
    projector: Projector,
    onProgress: (processed: bigint, total: bigint) => void,
  ) => Promise<Result>,
): Promise<Result> {
  // Projectors open no secrets, so this process needs no master key; without services nothing is seeded.
  const settings = { ...target.settings, services: [] };
  const platform = await openPlatform(settings, target.server, "unused", target.logger);
  const progress = newProgress(`${name} (${environment})`);
  try {
    const context = platform.contexts[environment];
    const consumers = services.flatMap((service) => service.consumers?.(context) ?? []);
    const consumer = consumers.find((item) => item.name === name);
    if (consumer === undefined) {
      const names = consumers.filter((item) => item.kind === "projector").map((item) => item.name);
      throw new OpsError(`there is no projection ${name}; there are ${names.join(", ")}`);
    }
    if (consumer.kind === "reactor") throw notReplayable(name);
    return await work(context, consumer, (processed, total) =>
      progress.show(Number(processed), Number(total)),
    );
  } finally {
    progress.end();
    await platform.close();
  }
}
