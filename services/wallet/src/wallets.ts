import { type PartnerId, streamOf, type StreamOf } from "@heliograph/contracts";
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
/** About 15 MB at most; some 20 s of traffic at 3,000 messages/s, while most holds are captured within one. */
const holdsKept = 50_000;

export const walletStream = (partner: PartnerId): StreamOf<"wallet"> => streamOf("wallet", partner);

/**
 * What the ledger remembers of wallets and holds, read when first needed. The wallet's stream is the truth: a balance is in its last event,
 * a hold is looked up in the read model plus the part of the stream that the projector has not reached.
 */
export type Wallets = {
  /** Makes these wallets known. */
  load(partners: readonly PartnerId[]): Promise<void>;
  /** Makes the holds of these messages known, as far as they exist: one query for all. */
  loadHolds(missing: ReadonlyMap<PartnerId, readonly string[]>): Promise<void>;
  /** A loaded wallet. */
  get(partner: PartnerId): Wallet;
  /** The hold, or undefined when it is not known or belongs to another partner. */
  hold(partner: PartnerId, messageId: string): Hold | undefined;
  /** Takes in an event of the wallet's stream. */
  evolve(partner: PartnerId, event: WalletEvent & { revision?: number }): void;
  /** Whether a top-up is booked; reads the whole stream of the wallet. */
  hasTopup(partner: PartnerId, transactionId: string): Promise<boolean>;
  /** Reads what others have appended to the wallet's stream since. */
  catchUp(partner: PartnerId): Promise<void>;
};

export function openWallets(log: EventLog, pool: pg.Pool): Wallets {
  const wallets = boundedCache<PartnerId, Wallet>(walletsKept);
  const holds = boundedCache<string, HoldRow>(holdsKept);

  const eventsAfter = (partner: PartnerId, revision: number) =>
    log.scanStream(walletStream(partner), { from: revision + 1 });

  const self: Wallets = {
    async load(partners) {
      const unknown = partners.filter((partner) => wallets.get(partner) === undefined);
      await Promise.all(
        unknown.map(async (partner) => {
          const [last] = await log.readStream(walletStream(partner), { backwards: true, limit: 1 });
          wallets.set(partner, last === undefined ? emptyWallet : evolveWallet(emptyWallet, last));
        }),
      );
    },

    async loadHolds(missing) {
      const ids = [...missing.values()].flat();
      if (ids.length === 0) return;
      const found = await readHolds(pool, ids, [...missing.keys()]);
      for (const [messageId, hold] of found.holds) holds.set(messageId, hold);
      for (const [partner, messageIds] of missing) {
        const projected = found.revisions.get(partner) ?? -1;
        if (projected >= self.get(partner).revision) continue;
        const wanted = new Set(messageIds);
        const book = owned(holds, partner, (messageId) => wanted.has(messageId));
        for await (const event of eventsAfter(partner, projected)) noteHolds(book, event);
      }
    },

    get(partner) {
      const wallet = wallets.get(partner);
      if (wallet === undefined) throw new Error(`the wallet of ${partner} is not loaded`);
      return wallet;
    },

    hold(partner, messageId) {
      const hold = holds.get(messageId);
      return hold?.partner === partner ? hold : undefined;
    },

    evolve(partner, event) {
      wallets.set(partner, evolveWallet(self.get(partner), event));
      noteHolds(owned(holds, partner), event);
    },

    async hasTopup(partner, transactionId) {
      for await (const event of eventsAfter(partner, -1))
        if (books(event, transactionId)) return true;
      return false;
    },

    async catchUp(partner) {
      for await (const event of eventsAfter(partner, self.get(partner).revision))
        self.evolve(partner, event);
    },
  };
  return self;
}

/** The holds of one partner, as a book to note them in. */
const owned = (
  holds: { set(messageId: string, hold: HoldRow): unknown },
  partner: PartnerId,
  keep: (messageId: string) => boolean = () => true,
) => ({
  set(messageId: string, hold: Hold): void {
    if (keep(messageId)) holds.set(messageId, { ...hold, partner });
  },
});

const books = ({ type, data }: WalletEvent, transactionId: string): boolean =>
  type === "FundsToppedUp" && data.entries.some((entry) => entry.transaction_id === transactionId);
