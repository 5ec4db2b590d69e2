import { accountOf, outlivesSpaces, type Shard, shardOf } from "@heliograph/contracts";
import { walletCauseTypes, type WalletCause } from "@heliograph/domain";
import type { Companion, Joining, Position, RecordedEvent } from "@heliograph/log";
import type { ServiceContext } from "@heliograph/runtime";
import { causeOf, type CauseOf } from "./causes.ts";
import type { Ledger } from "./ledger.ts";

/** What the ledger has not decided yet is kept up to here; a ledger that is further behind catches up first. */
const mostPending = 10_000;

/**
 * Holds funds for a message in the commit that stores its request, where the ledger and who accepts messages share a process and a database. It is the decision that the ledger would come to when it
 * reads the request: on the same wallet at its exact revision, of all causes up to the same position. For this it has to know every cause up to there, and the log stores the two right behind
 * each other or neither; whenever that is not so, nothing is said, and the ledger decides in its turn. When it then reads the request, the wallet covers it.
 */
export class EarlyHolds implements Companion {
  readonly types: ReadonlySet<string> = new Set(walletCauseTypes);
  readonly #context: Pick<ServiceContext, "directory" | "environment">;
  readonly #ledger: Ledger;
  readonly #shard: Shard | undefined;
  /** Every cause behind `from`, up to `to`, is pending, or its wallet covers it. */
  #from = -1n;
  #to = -1n;
  #pending: CauseOf[] = [];
  /** The ledger has decided everything up to here. */
  #decided = -1n;

  constructor(
    context: Pick<ServiceContext, "directory" | "environment">,
    ledger: Ledger,
    shard?: Shard,
  ) {
    this.#context = context;
    this.#ledger = ledger;
    this.#shard = shard;
  }

  decidedUpTo(position: Position): void {
    this.#decided = position;
    this.#pending = this.#pending.filter(({ cause }) => cause.position > position);
  }

  stored(events: readonly RecordedEvent[]): void {
    const base = events[0]!.position - 1n;
    if (base !== this.#to) this.#beginAt(base);
    this.#to = events.at(-1)!.position;
    const found = this.#causesOf(events);
    if (found === undefined || this.#pending.length > mostPending) this.#beginAt(this.#to);
    else this.#pending.push(...found.filter((each) => !this.#isCovered(each)));
  }

  join(coming: readonly RecordedEvent[], base: Position): Joining | undefined {
    if (!coming.some(({ type }) => type === "MessageRequested")) return undefined;
    if (base !== this.#to || this.#decided < this.#from) return undefined;
    const found = this.#causesOf(coming);
    if (found === undefined) return undefined;
    const causes = new Map<string, WalletCause[]>();
    for (const { wallet, cause } of found) if (cause.kind === "hold") causes.set(wallet, []);
    for (const list of [this.#pending, found])
      for (const { wallet, cause } of list) causes.get(wallet)?.push(cause);
    const early = this.#ledger.decideEarly(causes);
    if (early === undefined) return undefined;
    const { decided, over } = early;
    return {
      appends: decided.map(({ append }) => append),
      over: (stored) => {
        over(stored);
        this.#pending = this.#pending.filter((each) => !this.#isCovered(each));
      },
    };
  }

  #beginAt(position: Position): void {
    this.#from = position;
    this.#pending = [];
  }

  readonly #isCovered = ({ wallet, cause }: CauseOf): boolean =>
    cause.position <= this.#ledger.covers(wallet);

  /** Undefined where the wallet of one cannot be named yet. Of spaces that are over the ledger is given nothing either. */
  #causesOf(events: readonly RecordedEvent[]): readonly CauseOf[] | undefined {
    const { directory, environment } = this.#context;
    const found: CauseOf[] = [];
    for (const event of events) {
      if (!this.types.has(event.type)) continue;
      const { partner } = event.metadata;
      // Poison: the ledger sets it aside.
      if (partner === undefined) continue;
      const shard = this.#shard;
      if (shard !== undefined && shardOf(partner, shard.count) !== shard.index) continue;
      const isOver = directory.isOver(environment, partner);
      if (isOver && !outlivesSpaces(event.stream)) continue;
      if (directory.partner(accountOf(partner)) === undefined) return undefined;
      const cause = causeOf(directory, event);
      if (cause !== undefined) found.push(cause);
    }
    return found;
  }
}
