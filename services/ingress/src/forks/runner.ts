import { randomUUID } from "node:crypto";
import { type ApiContext, type Call, hosted } from "@heliograph/api";
import { isMachinery, keepLooking, type Looking } from "@heliograph/runtime";
import { type Sender, senderFor } from "../messages/sender.ts";
import { openSending, sendingOf } from "../messages/state.ts";
import {
  claimFork,
  type Counts,
  finishFork,
  type Fork,
  giveForkBack,
  noteFork,
  renewFork,
} from "../tables/forks.ts";
import { createFakes } from "./fake.ts";
import { ForkStopped, runFork } from "./run.ts";

/** For those whose process is gone, and those that were to go on later: who asks for a new one wakes the process that took the call. */
const lookEveryMs = 15_000;

/** Runs one to its end, or until it is somebody else's, canceled, to go on later, or this process closes. */
async function runClaimed(
  context: ApiContext,
  owner: string,
  fork: Fork,
  signal: AbortSignal,
): Promise<void> {
  const { directory, environments, counters, logger } = context;
  const { live, sandbox } = environments;
  const { id, account, space } = fork;
  const { pool } = sandbox;
  const ofSandbox = { deps: sandbox, directory, counters: counters.sandbox, logger };
  const senderNow = (): Sender => {
    if (directory.isOver("sandbox", space)) throw new ForkStopped("the sandbox was reset");
    const sender = senderFor(ofSandbox, id, space);
    if (sender !== undefined && directory.partner(account)?.status !== "suspended") return sender;
    throw new ForkStopped("the partner is suspended, or not there any more");
  };
  const deps = {
    live: { log: live.log.forPartner(account), vault: live.vault },
    sending: sendingOf({ context, env: "sandbox" }),
    sender: senderNow(),
    fakes: createFakes(sandbox.vault.name("forks", account)),
    pressure: sandbox.pressure,
  };
  const goesOn = (isOurs: boolean): boolean => {
    senderNow();
    return isOurs && !signal.aborted;
  };
  const claim = {
    note: async (reached: bigint, counts: Counts) =>
      goesOn(await noteFork(pool, id, owner, reached, counts)),
    renew: async () => goesOn(await renewFork(pool, id, owner)),
  };
  const end = await runFork(deps, fork, claim, signal);
  if (end === "whole" || end === "cut")
    await finishFork(pool, id, owner, { complete: end === "whole" });
  else await giveForkBack(pool, id, owner, end === "stopped" ? 0 : end.afterMs);
}

/** Runs forks, one after the other, beside whatever this process serves. */
function openRunner(context: ApiContext): Looking {
  const owner = randomUUID();
  const { pool } = context.environments.sandbox;
  const logger = context.logger.child({ part: "forks" });

  async function look(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const claimed = await claimFork(pool, owner);
      if (claimed === undefined) return;
      try {
        await runClaimed(context, owner, claimed, signal);
      } catch (error) {
        // Trouble with the database or the log passes: whoever looks next takes it up where it was.
        if (isMachinery(error)) {
          await giveForkBack(pool, claimed.id, owner, 0).catch(() => undefined);
          throw error;
        }
        const isOurs = !(error instanceof ForkStopped);
        if (isOurs) logger.error({ err: error, fork: claimed.id }, "a fork failed");
        await finishFork(pool, claimed.id, owner, {
          error: isOurs
            ? "it failed by a fault of the platform, which its log names"
            : error.message,
        });
      }
    }
  }

  return keepLooking(look, lookEveryMs, (error) =>
    logger.warn({ err: error }, "forks wait for what is away"),
  );
}

const state = hosted(async (context) => {
  const sending = await openSending(context);
  const runner = openRunner(context);
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
