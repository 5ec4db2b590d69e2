import { failpoint, uuid5, accountOf } from "@heliograph/contracts";
import {
  decideWallet,
  partnerOfWallet,
  walletCause,
  walletCauseTypes,
  walletName,
  type Wallet,
  type WalletCause,
  type WalletDecision,
} from "@heliograph/domain";
import type { Append, EventLog, RecordedEvent } from "@heliograph/log";
import {
  type GatewayDirectory,
  lazyWindow,
  reactor,
  type ReactorInstance,
  type ReactorTools,
  type PartnerClock,
} from "@heliograph/runtime";
import { openLapses } from "./lapses.ts";
import { ignoredCauses } from "./metrics.ts";
import { openNightlyProof } from "./nightly.ts";
import { partnerOf } from "./store.ts";
import { ledgerMigrations } from "./tables/ledger.ts";
import { spaceOfWallet } from "./tables/wallet.ts";
import { openWallets, walletStream, type Wallets } from "./wallets.ts";

/** Another writer can win a race once per take-over; so many in a row mean that something else is wrong. */
const maxConflicts = 10;
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
  // What was held is captured: no balance changes by it, and nobody is told.
  patient: ({ type }) => type === "MessageSent",
  spaces: { open_holds: "partner", proofs: spaceOfWallet("wallet") },
  migrations: ledgerMigrations,
  start: startLedger,
});

function startLedger({ context, checkpoint, logger, signal, fail }: ReactorTools): ReactorInstance {
  const ledger = new Ledger(context, logger);
  let reached = checkpoint.position;
  const window = lazyWindow({ checkpoint, fail, busyMs, position: () => reached });
  const lapses = openLapses({ context, logger, signal });
  const nightly = openNightlyProof({ context, logger, signal });
  return {
    async handle(batch) {
      await ledger.settleAll(await causesByWallet(context.directory, batch.events), false);
      reached = batch.position;
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
      await Promise.all([lapses.stop(), nightly.stop()]);
      await window.flush();
    },
  };
}

type Decided = {
  readonly wallet: string;
  readonly decision: WalletDecision;
  readonly append: Append;
};

/** Decides what causes ask of wallets and appends it. */
class Ledger {
  readonly #context: ReactorTools["context"];
  readonly #logger: ReactorTools["logger"];
  readonly #wallets: Wallets;

  constructor(context: ReactorTools["context"], logger: ReactorTools["logger"]) {
    this.#context = context;
    this.#logger = logger;
    this.#wallets = openWallets(context.log, context.pool);
  }

  /** Settles every cause, however often another writer is first. `late`: of events that were set aside before. */
  async settleAll(causes: Causes, late: boolean): Promise<void> {
    let open = causes;
    for (let conflicts = 0; open.size > 0; conflicts++) {
      if (conflicts > maxConflicts)
        throw new Error(`${maxConflicts} conflicts in a row on ${[...open.keys()].join(", ")}`);
      open = await this.#settle(open, late);
    }
  }

  /** Decides and appends; gives back the wallets in which another writer was first, brought up to date. */
  async #settle(open: Causes, late: boolean): Promise<Causes> {
    await this.#wallets.load([...open.keys()]);
    await this.#wallets.loadHolds(late ? allHolds(open) : this.#unknownHolds(open));
    const decided = await this.#decide(open, late);
    if (decided.length === 0) return new Map();
    await failpoint("wallet.before_append");
    const outcomes = await this.#context.log.append(decided.map(({ append }) => append));
    await failpoint("wallet.after_append");

    const again: Causes = new Map();
    for (const [index, outcome] of outcomes.entries()) {
      const { wallet, decision } = decided[index]!;
      switch (outcome.kind) {
        case "appended":
          for (const event of decision.events) this.#wallets.evolve(wallet, event);
          this.#report(wallet, decision);
          break;
        case "duplicate":
          // Another owner decided the same causes. What is stored counts: holds may have been known here of which it had settled some already, so that this decision says less.
          await this.#wallets.catchUp(wallet);
          break;
        case "conflict":
          this.#logger.info({ wallet, actual: outcome.actual }, "another writer was first");
          await this.#wallets.catchUp(wallet);
          again.set(wallet, open.get(wallet)!);
          break;
        case "invalid":
          throw new Error(`the log refuses the wallet events of ${wallet}: ${outcome.message}`);
        default:
          outcome satisfies never;
      }
    }
    return again;
  }

  async #decide(open: Causes, late: boolean): Promise<readonly Decided[]> {
    const decided: Decided[] = [];
    for (const [name, causes] of open) {
      if (late && (await this.#isBooked(name, causes))) continue;
      const wallet = this.#wallets.get(name);
      const book = { get: (messageId: string) => this.#wallets.hold(name, messageId) };
      const decision = decideWallet(wallet, book, causes, late);
      if (decision.events.length === 0) this.#report(name, decision);
      else
        decided.push({
          wallet: name,
          decision,
          append: appendOf(name, wallet, decision, this.#context.clock),
        });
    }
    return decided;
  }

  /** Messages to be settled whose hold is not in memory: made before the start, or long ago. */
  #unknownHolds(open: Causes): ReadonlyMap<string, readonly string[]> {
    const missing = new Map<string, readonly string[]>();
    for (const [wallet, causes] of open) {
      const { covers } = this.#wallets.get(wallet);
      const requested = new Set<string>();
      const unknown: string[] = [];
      for (const cause of causes) {
        if (!("message_id" in cause) || cause.position <= covers) continue;
        if (cause.kind === "hold") requested.add(cause.message_id);
        else if (!requested.has(cause.message_id) && !this.#wallets.hold(wallet, cause.message_id))
          unknown.push(cause.message_id);
      }
      if (unknown.length > 0) missing.set(wallet, unknown);
    }
    return missing;
  }

  async #isBooked(wallet: string, [cause]: readonly WalletCause[]): Promise<boolean> {
    return (
      cause !== undefined &&
      "transaction_id" in cause &&
      this.#wallets.hasBooked(wallet, cause.transaction_id)
    );
  }

  #report(wallet: string, { ignored }: WalletDecision): void {
    for (const { cause, reason } of ignored) {
      ignoredCauses.inc({ environment: this.#context.environment, reason });
      const { position, ...details } = cause;
      if (reason !== "declined" && reason !== "charged")
        this.#logger.warn(
          { wallet, position: String(position), ...details, reason },
          "cause ignored",
        );
    }
  }
}

const allHolds = (open: Causes): ReadonlyMap<string, readonly string[]> =>
  new Map(
    [...open].map(([wallet, causes]) => [
      wallet,
      causes.flatMap((cause) => ("message_id" in cause ? [cause.message_id] : [])),
    ]),
  );

/** What is to be decided where an event was set aside. */
const behind = async (log: EventLog, event: RecordedEvent): Promise<readonly RecordedEvent[]> => {
  if (event.stream.startsWith("message-")) return log.readStream(event.stream);
  return event.type === "WalletTermsSet"
    ? log.readStream(event.stream, { backwards: true, limit: 1 })
    : [event];
};

/** By the name of the wallet. */
type Causes = Map<string, readonly WalletCause[]>;

/** A price's currency chooses the wallet. A partner that the directory does not have yet is waited for, since its first wallet is named by its own currency; one that there is not has one wallet only. */
async function causesByWallet(
  directory: Pick<GatewayDirectory, "partner" | "knows">,
  events: readonly RecordedEvent[],
): Promise<Causes> {
  const partners = new Set(events.map((event) => accountOf(partnerOf(event))));
  for (const each of partners)
    if (directory.partner(each) === undefined && (await directory.knows(each)))
      if (directory.partner(each) === undefined)
        throw new Error(`the partner ${each} cannot be read, nor the currency of its wallet`);
  const causes = new Map<string, WalletCause[]>();
  for (const event of events) {
    const cause = walletCause(event);
    if (cause === undefined) continue;
    const partner_id = partnerOf(event);
    const currency = directory.partner(accountOf(partner_id))?.currency ?? cause.currency ?? "";
    const wallet = walletName({ partner_id, currency }, cause.currency);
    const known = causes.get(wallet);
    if (known === undefined) causes.set(wallet, [cause]);
    else known.push(cause);
  }
  return causes;
}

/**
 * Ids follow from the stream, the revision, what is covered and the type: the same batch decided again after a crash is a duplicate, and
 * another batch at the same revision is a conflict.
 */
/** Booked when it is booked: the times of a wallet follow its revisions, so that its transactions are found by them. */
function appendOf(
  name: string,
  wallet: Wallet,
  { events }: WalletDecision,
  clock: PartnerClock,
): Append {
  const stream = walletStream(name);
  const partner = partnerOfWallet(name);
  const metadata = { partner, actor: "service:wallet", ...clock.stamp(partner) };
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
