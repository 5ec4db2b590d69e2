import { streamOf, type StreamOf } from "@heliograph/contracts";
import {
  boundedCache,
  emptyWallet,
  evolveWallet,
  type Hold,
  noteHolds,
  type Wallet,
  type WalletEvent,
} from "@heliograph/domain";
import type { EventLog } from "@heliograph/log";
import { type HoldRow, readHolds } from "./tables/wallet.ts";
import type pg from "pg";

/** A wallet is 200 bytes and costs one read when it is forgotten. */
const walletsKept = 20_000;
/** Some 200 bytes each: ten seconds of traffic at 1,000 messages/s, while most holds are captured within one. More would be memory that grows with each broadcast. */
const holdsKept = 10_000;

/** The stream of a wallet by its name. */
export const walletStream = (name: string): StreamOf<"wallet"> => streamOf("wallet", name);

/**
 * What the ledger remembers of wallets and holds, read when first needed. The wallet's stream is the truth: a balance is in its last event,
 * a hold is looked up in the read model plus the part of the stream that the projector has not reached.
 */
export type Wallets = {
  /** Makes these wallets known. */
  load(wallets: readonly string[]): Promise<void>;
  /** Makes the holds of these messages known, as far as they exist: one query for all. */
  loadHolds(missing: ReadonlyMap<string, readonly string[]>): Promise<void>;
  isKnown(wallet: string): boolean;
  /** A loaded wallet. */
  get(wallet: string): Wallet;
  /** The hold, or undefined when it is not known or belongs to another wallet. */
  hold(wallet: string, messageId: string): Hold | undefined;
  /** Takes in an event of the wallet's stream. */
  evolve(wallet: string, event: WalletEvent & { revision?: number }): void;
  /** Whether a top-up or a correction is decided; reads the whole stream of the wallet. */
  hasBooked(wallet: string, transactionId: string): Promise<boolean>;
  /** Reads what others have appended to the wallet's stream since. */
  catchUp(wallet: string): Promise<void>;
};

export function openWallets(log: EventLog, pool: pg.Pool): Wallets {
  const wallets = boundedCache<string, Wallet>(walletsKept);
  const holds = boundedCache<string, HoldRow>(holdsKept);

  const eventsAfter = (wallet: string, revision: number) =>
    log.scanStream(walletStream(wallet), { from: revision + 1 });

  const self: Wallets = {
    async load(names) {
      const unknown = names.filter((wallet) => wallets.get(wallet) === undefined);
      await Promise.all(
        unknown.map(async (wallet) => {
          const [last] = await log.readStream(walletStream(wallet), { backwards: true, limit: 1 });
          wallets.set(wallet, last === undefined ? emptyWallet : evolveWallet(emptyWallet, last));
        }),
      );
    },

    async loadHolds(missing) {
      const ids = [...missing.values()].flat();
      if (ids.length === 0) return;
      const found = await readHolds(pool, ids, [...missing.keys()]);
      for (const [messageId, hold] of found.holds) holds.set(messageId, hold);
      for (const [wallet, messageIds] of missing) {
        const projected = found.revisions.get(wallet) ?? -1;
        if (projected >= self.get(wallet).revision) continue;
        const wanted = new Set(messageIds);
        const book = owned(holds, wallet, (messageId) => wanted.has(messageId));
        for await (const event of eventsAfter(wallet, projected)) noteHolds(book, event);
      }
    },

    isKnown: (wallet) => wallets.get(wallet) !== undefined,

    get(wallet) {
      const found = wallets.get(wallet);
      if (found === undefined) throw new Error(`the wallet ${wallet} is not loaded`);
      return found;
    },

    hold(wallet, messageId) {
      const hold = holds.get(messageId);
      return hold?.partner === wallet ? hold : undefined;
    },

    evolve(wallet, event) {
      wallets.set(wallet, evolveWallet(self.get(wallet), event));
      noteHolds(owned(holds, wallet), event);
    },

    async hasBooked(wallet, transactionId) {
      for await (const event of eventsAfter(wallet, -1))
        if (books(event, transactionId)) return true;
      return false;
    },

    async catchUp(wallet) {
      for await (const event of eventsAfter(wallet, self.get(wallet).revision))
        self.evolve(wallet, event);
    },
  };
  return self;
}

/** The holds of one wallet, as a book to note them in. */
const owned = (
  holds: {
    get(messageId: string): HoldRow | undefined;
    set(messageId: string, hold: HoldRow): unknown;
  },
  wallet: string,
  keep: (messageId: string) => boolean = () => true,
) => ({
  get: (messageId: string): Hold | undefined => holds.get(messageId),
  set(messageId: string, hold: Hold): void {
    if (keep(messageId)) holds.set(messageId, { ...hold, partner: wallet });
  },
});

const books = ({ type, data }: WalletEvent, transactionId: string): boolean =>
  (type === "FundsToppedUp" || type === "FundsAdjusted" || type === "AdjustmentDeclined") &&
  data.entries.some((entry) => entry.transaction_id === transactionId);
