import { type ApiContext, type Call, hosted } from "@heliograph/api";
import type { Channel } from "@heliograph/contracts";
import { takesInbound } from "@heliograph/gateways";
import { isStopped, type JobEnd, type NoteJob, runJobs } from "@heliograph/runtime";
import { type Sender, senderFor } from "../messages/sender.ts";
import { openSending, sendingOf } from "../messages/state.ts";
import { type Counts, type Fork, forkJobs, keptOf } from "../tables/forks.ts";
import { createFakes } from "./fake.ts";
import { ForkStopped, runFork } from "./run.ts";

/** Runs one to its end, or until it is somebody else's, canceled, to go on later, or this process closes. */
async function runClaimed(
  context: ApiContext,
  fork: Fork,
  noteJob: NoteJob,
  signal: AbortSignal,
): Promise<JobEnd | { readonly afterMs: number }> {
  const { directory, environments, counters, logger } = context;
  const { live, sandbox } = environments;
  const { id, account, space } = fork;
  const ofSandbox = { deps: sandbox, directory, counters: counters.sandbox, logger };
  const senderNow = (): Sender => {
    if (directory.isOver("sandbox", space)) throw new ForkStopped("the sandbox was reset");
    const sender = senderFor(ofSandbox, id, space);
    if (sender !== undefined && !isStopped(directory.partner(account))) return sender;
    throw new ForkStopped("the partner is suspended, or not there any more");
  };
  const goesOn = (isOurs: boolean): boolean => {
    senderNow();
    return isOurs && !signal.aborted;
  };
  const claim = {
    note: async (reached: bigint, counts: Counts) => goesOn(await noteJob(keptOf(reached, counts))),
    renew: async () => goesOn(await noteJob()),
  };
  try {
    const deps = {
      live: { log: live.log.forPartner(account), vault: live.vault },
      sending: sendingOf({ context, env: "sandbox" }),
      sender: senderNow(),
      fakes: createFakes(sandbox.vault.name("forks", account)),
      gatewayOf: (channel: Channel) => {
        const found = directory
          .gateways("sandbox", channel)
          .find(({ enabled, kind }) => enabled && takesInbound(kind));
        return found && { id: found.gateway_id, kind: found.kind };
      },
      pressure: sandbox.pressure,
    };
    const end = await runFork(deps, fork, claim, signal);
    if (end === "whole" || end === "cut") return { complete: end === "whole" };
    return end === "stopped" ? { afterMs: 0 } : end;
  } catch (error) {
    if (error instanceof ForkStopped) return { error: error.message };
    throw error;
  }
}

const state = hosted(async (context) => {
  const sending = await openSending(context);
  const runner = runJobs({
    pool: context.environments.sandbox.pool,
    table: forkJobs,
    what: "fork",
    logger: context.logger.child({ part: "forks" }),
    run: (fork, note, signal) => runClaimed(context, fork, note, signal),
  });
  return {
    wake: runner.wake,
    async close() {
      await runner.close();
      await sending.close();
    },
  };
});

/** Opens what accepts messages, and takes up what earlier processes left. */
export const openForks = state.open;

/** Begins what has just been asked for. */
export const wakeForks = (call: Pick<Call<unknown, unknown>, "context">): void =>
  state.of(call).wake();
