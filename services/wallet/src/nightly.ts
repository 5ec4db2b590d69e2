import type { Proof } from "@heliograph/domain";
import type { EventLog } from "@heliograph/log";
import { isMachinery, messageOf, type ReactorTools } from "@heliograph/runtime";
import { proveWallet } from "./api/proof.ts";
import { proofFinished, proofMismatches } from "./metrics.ts";
import {
  countMismatches,
  dueProof,
  finishProofs,
  noteProof,
  type ShownWallet,
  walletsToProve,
} from "./tables/proofs.ts";
import { walletStream } from "./wallets.ts";

const lookEveryMs = 60_000;
const dayMs = 86_400_000;
/** When there is little to do in most places: 02:00 UTC. */
const nightMs = 2 * 3_600_000;
const walletsAtOnce = 100;

const nextNight = (now: number): Date =>
  new Date(Math.floor((now - nightMs) / dayMs) * dayMs + dayMs + nightMs);

/** What is shown and is not so by the log; undefined when all of it is. */
function differenceOf(shown: ShownWallet, proven: Proof): string | undefined {
  const { balance, held, holds_open: open, debits, credits } = proven;
  if (balance !== shown.available || held !== shown.held)
    return `${shown.available} available and ${shown.held} held are shown, ${balance} and ${held} are in the log`;
  if (open !== shown.holdsOpen || held !== shown.heldByHolds)
    return `${shown.holdsOpen} open holds of ${shown.heldByHolds} are shown, ${open} of ${held} are in the log`;
  return debits === credits ? undefined : `debits are ${debits} and credits ${credits}`;
}

/** A wallet computed from the log up to what is shown, and where the two differ. Undefined when the caller went away. */
export async function proveShown(
  log: EventLog,
  shown: ShownWallet,
  signal: AbortSignal,
): Promise<{ readonly proof: Proof; readonly mismatch: string | undefined } | undefined> {
  const proof = await proveWallet(log, walletStream(shown.wallet), shown.position, signal);
  return proof && { proof, mismatch: proof.mismatch ?? differenceOf(shown, proof) };
}

type Tools = Pick<ReactorTools, "context" | "logger" | "signal">;

/**
 * Each night every wallet is computed from the log and compared with what is shown of it and of its holds. A wallet that differs is an error in the log of this process, a row
 * of `wallet_ledger.proofs` and a metric that alarms. When it is due stands in a table: a process that was down at night does it when it starts, one that was killed goes on.
 */
export function openNightlyProof(tools: Tools, realNow: () => number = Date.now) {
  const { context, logger, signal } = tools;
  const { pool, environment } = context;
  const ending = new AbortController();
  const ended = AbortSignal.any([signal, ending.signal]);
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    const due = await dueProof(pool, nextNight(realNow()));
    proofMismatches.set({ environment }, await countMismatches(pool));
    if (due.getTime() > realNow()) return;
    for (;;) {
      const wallets = await walletsToProve(pool, due, walletsAtOnce);
      if (wallets.length === 0) break;
      for (const wallet of wallets) {
        await prove(wallet);
        if (ended.aborted) return;
      }
    }
    const mismatches = await countMismatches(pool);
    proofMismatches.set({ environment }, mismatches);
    proofFinished.set({ environment }, realNow() / 1_000);
    await finishProofs(pool, nextNight(realNow()));
    logger.info({ mismatches }, "every wallet was computed from the log");
  }

  async function prove(shown: ShownWallet): Promise<void> {
    const { wallet, position } = shown;
    const proven = await proveShown(context.log, shown, ended).catch((error: unknown) => {
      if (isMachinery(error)) throw error;
      // A wallet that cannot be computed is found like one that differs, and the next have their turn.
      return { mismatch: `it cannot be computed: ${messageOf(error)}` };
    });
    if (proven === undefined) return;
    const { mismatch } = proven;
    if (mismatch !== undefined)
      logger.error({ wallet, mismatch }, "a wallet is not what its log says");
    await noteProof(pool, wallet, position, mismatch);
  }

  const wake = (): void => {
    looking ??= look()
      .catch((error: unknown) => logger.warn({ err: error }, "wallets could not be proven"))
      .finally(() => (looking = undefined));
  };
  const timer = setInterval(wake, lookEveryMs);
  ended.addEventListener("abort", () => clearInterval(timer), { once: true });
  wake();
  return {
    async stop(): Promise<void> {
      ending.abort();
      await looking;
    },
  };
}
