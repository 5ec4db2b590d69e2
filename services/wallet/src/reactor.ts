import { failpoint, type PartnerId, uuid5 } from "@heliograph/contracts";
import {
  decideWallet,
  walletCause,
  walletCauseTypes,
  type Wallet,
  type WalletCause,
  type WalletDecision,
} from "@heliograph/domain";
import type { Append, Batch, RecordedEvent } from "@heliograph/log";
import { reactor, type ReactorInstance, type ReactorTools } from "@heliograph/runtime";
import { lazyCheckpoint } from "./lazy-checkpoint.ts";
import { ignoredCauses } from "./metrics.ts";
import { partnerOf } from "./store.ts";
import { openWallets, walletStream } from "./wallets.ts";

/** Another writer can win a race once per take-over; so many in a row mean that something else is wrong. */
const maxConflicts = 10;

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
  migrations: [],
  start: startLedger,
});

function startLedger({ context, checkpoint, logger, fail }: ReactorTools): ReactorInstance {
  const wallets = openWallets(context.log, context.pool);
  const progress = lazyCheckpoint(checkpoint, fail);

  async function handle(batch: Batch): Promise<void> {
    await settleAll(causesByPartner(batch.events), false);
    progress.reached(batch.position);
  }

  /**
   * What the event asks for is done unless it was: `covers` says nothing of an event that was set aside, the holds and the top-ups themselves do. All of its message's
   * causes are decided with it: one that came meanwhile found no hold, and nobody would give the funds back that are held now.
   */
  async function retry(event: RecordedEvent): Promise<void> {
    const isMessage = walletCause(event)?.kind !== "topup";
    const events = isMessage ? await context.log.readStream(event.stream) : [event];
    await settleAll(causesByPartner(events), true);
  }

  async function settleAll(causes: Causes, late: boolean): Promise<void> {
    let open = causes;
    for (let conflicts = 0; open.size > 0; conflicts++) {
      if (conflicts > maxConflicts)
        throw new Error(`${maxConflicts} conflicts in a row on ${[...open.keys()].join(", ")}`);
      open = await settle(open, late);
    }
  }

  /** Decides and appends; gives back the wallets in which another writer was first, brought up to date. */
  async function settle(open: Causes, late: boolean): Promise<Causes> {
    await wallets.load([...open.keys()]);
    await wallets.loadHolds(late ? allHolds(open) : unknownHolds(open));
    const partners: PartnerId[] = [];
    const decisions: WalletDecision[] = [];
    const appends: Append[] = [];
    for (const [partner, causes] of open) {
      if (late && (await isBooked(partner, causes))) continue;
      const wallet = wallets.get(partner);
      const book = { get: (messageId: string) => wallets.hold(partner, messageId) };
      const decision = decideWallet(wallet, book, causes, late);
      if (decision.events.length === 0) report(partner, decision);
      else {
        partners.push(partner);
        decisions.push(decision);
        appends.push(appendOf(partner, wallet, decision));
      }
    }
    if (appends.length === 0) return new Map();
    await failpoint("wallet.before_append");
    const outcomes = await context.log.append(appends);
    await failpoint("wallet.after_append");

    const again: Causes = new Map();
    for (const [index, outcome] of outcomes.entries()) {
      const partner = partners[index]!;
      const decision = decisions[index]!;
      switch (outcome.kind) {
        case "appended":
        case "duplicate":
          for (const event of decision.events) wallets.evolve(partner, event);
          report(partner, decision);
          break;
        case "conflict":
          logger.info({ partner, actual: outcome.actual }, "another writer was first");
          await wallets.catchUp(partner);
          again.set(partner, open.get(partner)!);
          break;
        case "invalid":
          throw new Error(`the log refuses the wallet events of ${partner}: ${outcome.message}`);
        default:
          outcome satisfies never;
      }
    }
    return again;
  }

  /** Messages to be settled whose hold is not in memory: made before the start, or long ago. */
  function unknownHolds(open: Causes): ReadonlyMap<PartnerId, readonly string[]> {
    const missing = new Map<PartnerId, readonly string[]>();
    for (const [partner, causes] of open) {
      const { covers } = wallets.get(partner);
      const requested = new Set<string>();
      const unknown: string[] = [];
      for (const cause of causes) {
        if (cause.kind === "topup" || cause.position <= covers) continue;
        if (cause.kind === "hold") requested.add(cause.message_id);
        else if (!requested.has(cause.message_id) && !wallets.hold(partner, cause.message_id))
          unknown.push(cause.message_id);
      }
      if (unknown.length > 0) missing.set(partner, unknown);
    }
    return missing;
  }

  async function isBooked(partner: PartnerId, [cause]: readonly WalletCause[]): Promise<boolean> {
    return cause?.kind === "topup" && wallets.hasTopup(partner, cause.transaction_id);
  }

  function allHolds(open: Causes): ReadonlyMap<PartnerId, readonly string[]> {
    return new Map(
      [...open].map(([partner, causes]) => [
        partner,
        causes.flatMap((cause) => (cause.kind === "topup" ? [] : [cause.message_id])),
      ]),
    );
  }

  function report(partner: PartnerId, { ignored }: WalletDecision): void {
    for (const { cause, reason } of ignored) {
      ignoredCauses.inc({ environment: context.environment, reason });
      const { position, ...details } = cause;
      if (reason !== "declined")
        logger.warn({ partner, position: String(position), ...details, reason }, "cause ignored");
    }
  }

  return { handle, retry, stop: () => progress.flush() };
}

type Causes = Map<PartnerId, readonly WalletCause[]>;

function causesByPartner(events: readonly RecordedEvent[]): Causes {
  const causes = new Map<PartnerId, WalletCause[]>();
  for (const event of events) {
    const cause = walletCause(event);
    if (cause === undefined) continue;
    const partner = partnerOf(event);
    const known = causes.get(partner);
    if (known === undefined) causes.set(partner, [cause]);
    else known.push(cause);
  }
  return causes;
}

/**
 * Ids follow from the stream, the revision, what is covered and the type: the same batch decided again after a crash is a duplicate, and
 * another batch at the same revision is a conflict.
 */
function appendOf(partner: PartnerId, wallet: Wallet, { events }: WalletDecision): Append {
  const stream = walletStream(partner);
  const metadata = { partner, actor: "service:wallet" };
  return {
    stream,
    expected: wallet.revision < 0 ? "no_stream" : wallet.revision,
    events: events.map(({ type, data }, index) => ({
      id: uuid5(stream, String(wallet.revision + 1 + index), data.covers, type),
      type,
      data,
      metadata,
    })),
  };
}
