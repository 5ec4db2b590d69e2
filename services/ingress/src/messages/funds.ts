import { type Micros, streamOf } from "@heliograph/contracts";
import {
  emptyWallet,
  evolveWallet,
  partnerOfWallet,
  shortOf,
  spentOn,
  type Wallet,
  walletEventTypes,
  type WalletEventType,
} from "@heliograph/domain";
import type { EventLog, RecordedEvent } from "@heliograph/log";

/** An accepted message that the wallet has not decided after this long no longer counts: a wallet that stands must not stop sends. */
const pendingMs = 10_000;
/** Those that are over are looked for so often at most: going over them for each send costs more than the sends themselves. */
const expireEveryMs = 100;

/** So much earlier something may be over. */
const sameMomentMs = 50;

type Pending = { readonly costMicros: Micros; readonly at: number };
type Account = {
  wallet: Wallet;
  position: bigint;
  pendingMicros: Micros;
  readonly pending: Map<string, Pending>;
  /** What the last one cost, and when: those of the same price and moment share it, for many live until the young collections have copied them. */
  last: Pending;
  /** Before this nothing that is pending is over. */
  expiresAt: number;
};

type Short = NonNullable<ReturnType<typeof shortOf>>;
export type Reserved = "reserved" | "already" | Short;

export const fundsTypes = walletEventTypes;
type FundsEvent = RecordedEvent<WalletEventType>;

/**
 * The fast check before a message is accepted: the wallet after its last event, less what this process accepted since and the
 * wallet has not decided. It spares a partner the 202 that ends as `rejected`; the wallet itself, one writer, has the last word. Wallets go by their names.
 */
export class Funds {
  readonly #log: EventLog;
  readonly #accounts = new Map<string, Account>();
  readonly #loading = new Map<string, Promise<Account>>();
  /** The newest event of a wallet that is being read: it may be newer than what the read finds. */
  readonly #meanwhile = new Map<string, FundsEvent>();
  readonly #now: () => number;

  constructor(log: EventLog, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /**
   * Sets the cost aside, for a message of that day (UTC). `already`: this message's cost is set aside from an earlier try, which this one must not undo.
   * At once when the wallet is in memory: a promise for each message would be felt.
   */
  reserve(
    name: string,
    messageId: string,
    costMicros: Micros,
    on: string,
  ): Reserved | Promise<Reserved> {
    const account = this.#accounts.get(name);
    return account === undefined
      ? this.#load(name).then((loaded) => this.#take(loaded, messageId, costMicros, on))
      : this.#take(account, messageId, costMicros, on);
  }

  /** Why `reserve` would not set it aside now; undefined when it would. Sets nothing aside. */
  async short(name: string, costMicros: Micros, on: string): Promise<Short | undefined> {
    const account = this.#accounts.get(name) ?? (await this.#load(name));
    this.#expire(account);
    return shortIn(account, costMicros, on);
  }

  /** The message was not accepted after all. */
  release(name: string, messageId: string): void {
    const account = this.#accounts.get(name);
    if (account !== undefined) this.#forget(account, messageId);
  }

  /** A wallet's event: its balance is the newest, and what it decided is in it. */
  seen(event: FundsEvent): void {
    const name = `ptn_${event.stream.slice("wallet-".length)}`;
    const account = this.#accounts.get(name);
    if (account === undefined) {
      if (this.#loading.has(name)) this.#meanwhile.set(name, event);
      return;
    }
    if (event.position > account.position) {
      account.position = event.position;
      account.wallet = evolveWallet(account.wallet, event);
    }
    if (event.type === "FundsHeld" || event.type === "FundsDeclined")
      for (const entry of event.data.entries) this.#forget(account, entry.message_id);
  }

  #take(account: Account, messageId: string, costMicros: Micros, on: string): Reserved {
    this.#expire(account);
    if (account.pending.has(messageId)) return "already";
    const short = shortIn(account, costMicros, on);
    if (short !== undefined) return short;
    const at = this.#now();
    const { last } = account;
    if (last.costMicros !== costMicros || at - last.at > sameMomentMs)
      account.last = { costMicros, at };
    account.pending.set(messageId, account.last);
    account.pendingMicros += costMicros;
    return "reserved";
  }

  #load(name: string): Promise<Account> {
    let loading = this.#loading.get(name);
    if (loading !== undefined) return loading;
    loading = this.#log
      .forPartner(partnerOfWallet(name))
      .readStream(streamOf("wallet", name), { backwards: true, limit: 1 })
      .then(([last]) => {
        const account: Account = {
          wallet: last === undefined ? emptyWallet : evolveWallet(emptyWallet, last),
          position: last?.position ?? 0n,
          pendingMicros: 0n,
          pending: new Map(),
          last: { costMicros: 0n, at: 0 },
          expiresAt: 0,
        };
        this.#accounts.set(name, account);
        const newer = this.#meanwhile.get(name);
        if (newer !== undefined) this.seen(newer);
        return account;
      })
      .finally(() => {
        this.#loading.delete(name);
        this.#meanwhile.delete(name);
      });
    this.#loading.set(name, loading);
    return loading;
  }

  #forget(account: Account, messageId: string): void {
    const pending = account.pending.get(messageId);
    if (pending === undefined) return;
    account.pending.delete(messageId);
    account.pendingMicros -= pending.costMicros;
  }

  /** Oldest first, so it stops at the first that still counts. Until that one is over too there is nothing to look for. */
  #expire(account: Account): void {
    const now = this.#now();
    if (now < account.expiresAt) return;
    account.expiresAt = now + pendingMs;
    for (const [messageId, { at }] of account.pending) {
      if (at > now - pendingMs) {
        account.expiresAt = Math.max(at + pendingMs, now + expireEveryMs);
        return;
      }
      this.#forget(account, messageId);
    }
  }
}

/** The wallet's own rule, as if what is pending had been held already. */
function shortIn(
  { wallet, pendingMicros }: Account,
  costMicros: Micros,
  on: string,
): Short | undefined {
  const { terms } = wallet;
  const spent = spentOn(wallet.spent, on);
  return shortOf(
    {
      available: wallet.available - pendingMicros,
      spent: { on: spent.on, day: spent.day + pendingMicros, month: spent.month + pendingMicros },
      terms,
    },
    costMicros,
    on,
  );
}
