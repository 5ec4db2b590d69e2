import { failpoint, uuid5 } from "@heliograph/contracts";
import {
  decideWallet,
  partnerOfWallet,
  type Wallet,
  type WalletDecision,
  type WalletCause,
} from "@heliograph/domain";
import type { Append } from "@heliograph/log";
import type { PartnerClock, ReactorTools } from "@heliograph/runtime";
import type { Causes } from "./causes.ts";
import { ignoredCauses } from "./metrics.ts";
import { openWallets, walletStream, type Wallets } from "./wallets.ts";

/** Another writer can win a race once per take-over; so many in a row mean that something else is wrong. */
const maxConflicts = 10;

/** What counts in the day in which its cause was stored. */
const datedTypes: ReadonlySet<string> = new Set(["FundsChargedLate", "FundsWrittenOff"]);

export type Decided = {
  readonly wallet: string;
  readonly decision: WalletDecision;
  readonly append: Append;
};

/** Decides what causes ask of wallets and appends it. */
export class Ledger {
  readonly #context: ReactorTools["context"];
  readonly #logger: ReactorTools["logger"];
  readonly #wallets: Wallets;
  /** What was decided early is on its way into the log; whatever else is decided waits for it. */
  #early: Promise<void> | undefined;
  #isSettling = false;

  constructor(context: ReactorTools["context"], logger: ReactorTools["logger"]) {
    this.#context = context;
    this.#logger = logger;
    this.#wallets = openWallets(context.log, context.pool);
  }

  /** Settles every cause, however often another writer is first. `late`: of events that were set aside before. */
  async settleAll(causes: Causes, late: boolean): Promise<void> {
    while (this.#early !== undefined) await this.#early;
    this.#isSettling = true;
    try {
      let open = causes;
      for (let conflicts = 0; open.size > 0; conflicts++) {
        if (conflicts > maxConflicts)
          throw new Error(`${maxConflicts} conflicts in a row on ${[...open.keys()].join(", ")}`);
        open = await this.#settle(open, late);
      }
    } finally {
      this.#isSettling = false;
    }
  }

  /**
   * Decides at once, where nothing has to be read for it, and leaves storing it to the caller, who says at the end whether it is: nothing else is decided until then. Wallets of which something is
   * not known, or has nothing to be written, are left out, and those where the day of a cause counts whose time nobody knows before it is stored. Undefined while others are being settled.
   */
  decideEarly(
    open: Causes,
  ):
    | { readonly decided: readonly Decided[]; readonly over: (stored: boolean) => void }
    | undefined {
    if (this.#isSettling || this.#early !== undefined) return undefined;
    const known = new Map([...open].filter(([wallet]) => this.#wallets.isKnown(wallet)));
    for (const wallet of this.#unknownHolds(known).keys()) known.delete(wallet);
    const decided: Decided[] = [];
    for (const [wallet, causes] of known) {
      const one = this.#decideOne(wallet, causes, false);
      const { events } = one.decision;
      if (events.length > 0 && !events.some(({ type }) => datedTypes.has(type))) decided.push(one);
    }
    if (decided.length === 0) return undefined;
    const ended = Promise.withResolvers<void>();
    this.#early = ended.promise;
    const over = (stored: boolean): void => {
      try {
        if (stored) for (const one of decided) this.#stored(one);
      } finally {
        this.#early = undefined;
        ended.resolve();
      }
    };
    return { decided, over };
  }

  /** Up to where the wallet's causes are decided, as far as is known here. */
  covers(wallet: string): bigint {
    return this.#wallets.isKnown(wallet) ? this.#wallets.get(wallet).covers : -1n;
  }

  #stored({ wallet, decision }: Decided): void {
    for (const event of decision.events) this.#wallets.evolve(wallet, event);
    this.#report(wallet, decision);
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
      const { wallet } = decided[index]!;
      switch (outcome.kind) {
        case "appended":
          this.#stored(decided[index]!);
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
      const one = this.#decideOne(name, causes, late);
      if (one.decision.events.length === 0) this.#report(name, one.decision);
      else decided.push(one);
    }
    return decided;
  }

  #decideOne(name: string, causes: readonly WalletCause[], late: boolean): Decided {
    const wallet = this.#wallets.get(name);
    const book = { get: (messageId: string) => this.#wallets.hold(name, messageId) };
    const decision = decideWallet(wallet, book, causes, late);
    const append = appendOf(name, wallet, decision, this.#context.clock);
    return { wallet: name, decision, append };
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
