import { walletCauseTypes } from "@heliograph/domain";
import type { EventLog, RecordedEvent } from "@heliograph/log";
import { lazyWindow, reactor, type ReactorInstance, type ReactorTools } from "@heliograph/runtime";
import { causesByWallet } from "./causes.ts";
import { EarlyHolds } from "./early-holds.ts";
import { openLapses } from "./lapses.ts";
import { Ledger } from "./ledger.ts";
import { openNightlyProof } from "./nightly.ts";
import { ledgerMigrations } from "./tables/ledger.ts";
import { spaceOfWallet } from "./tables/wallet.ts";

/** Moves its checkpoint at most so often under load: the durable commit, 1 to 2 ms on a disk, would otherwise stand between two batches. A successor looks at so much again. */
const busyMs = 250;

/**
 * The single writer of every wallet: turns a batch of causes into one append per wallet, all in one call to the log. Its own checkpoint is
 * only a place to start from: `covers` in each wallet's last event says what is decided, so the checkpoint may lag behind.
 */
export const walletLedger = reactor({
  kind: "reactor",
  name: "wallet-ledger",
  // Not the projector's schema, which a rebuild replaces.
  schema: "wallet_ledger",
  types: walletCauseTypes,
  sharded: "asked",
  // What was held is captured: no balance changes by it, and nobody is told.
  patient: ({ type }) => type === "MessageSent",
  spaces: { open_holds: "partner", proofs: spaceOfWallet("wallet") },
  migrations: ledgerMigrations,
  start: startLedger,
});

function startLedger(tools: ReactorTools): ReactorInstance {
  const { context, shard, checkpoint, logger, signal, fail } = tools;
  const ledger = new Ledger(context, logger);
  let reached = checkpoint.position;
  const window = lazyWindow({ checkpoint, fail, busyMs, position: () => reached });
  const early = new EarlyHolds(context, ledger, shard);
  // Who is killed or fenced is not stopped in order, and decides nothing early either.
  const leave = context.log.accompany?.(early);
  signal.addEventListener("abort", () => leave?.(), { once: true });
  // They look through the wallets and holds of all partners, and only ask: one shard does it for all.
  const chores =
    shard === undefined || shard.index === 0 ? [openLapses(tools), openNightlyProof(tools)] : [];
  return {
    async handle(batch) {
      await ledger.settleAll(await causesByWallet(context.directory, batch.events), false);
      reached = batch.position;
      early.decidedUpTo(batch.position);
      window.reached();
    },
    /**
     * What the event asks for is done unless it was: `covers` says nothing of an event that was set aside, the holds and the top-ups themselves do. All of its message's
     * causes are decided with it: one that came meanwhile found no hold, and nobody would give the funds back that are held now. Of terms the newest are taken: older ones bind nobody any more.
     */
    async retry(event) {
      const events = await behind(context.log, event);
      await ledger.settleAll(await causesByWallet(context.directory, events), true);
    },
    async stop() {
      leave?.();
      await Promise.all(chores.map((chore) => chore.stop()));
      await window.flush();
    },
  };
}

/** What is to be decided where an event was set aside. */
const behind = async (log: EventLog, event: RecordedEvent): Promise<readonly RecordedEvent[]> => {
  if (event.stream.startsWith("message-")) return log.readStream(event.stream);
  return event.type === "WalletTermsSet"
    ? log.readStream(event.stream, { backwards: true, limit: 1 })
    : [event];
};
