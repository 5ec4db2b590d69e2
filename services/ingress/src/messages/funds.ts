import { type Micros, parseMoney, streamOf } from "@heliograph/contracts";
import type { EventLog, RecordedEvent } from "@heliograph/log";

/** An accepted message that the wallet has not decided after this long no longer counts: a wallet that stands must not stop sends. */
const pendingMs = 10_000;

type Pending = { readonly costMicros: Micros; readonly at: number };
type Account = {
  availableMicros: Micros;
  position: bigint;
  pendingMicros: Micros;
  readonly pending: Map<string, Pending>;
};

export type Reserved = "reserved" | "already" | "insufficient";

export const fundsTypes = [
  "FundsHeld",
  "FundsDeclined",
  "FundsCaptured",
  "FundsReleased",
  "FundsRefunded",
  "FundsToppedUp",
] as const;
type FundsEvent = RecordedEvent<(typeof fundsTypes)[number]>;

/**
 * The fast check before a message is accepted: the balance after the wallet's last event, less what this process accepted since and the
 * wallet has not decided. It spares a partner the 202 that ends as `rejected`; the wallet itself, one writer, has the last word.
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
   * Sets the cost aside. `already`: this message's cost is set aside from an earlier try, which this one must not undo.
   * At once when the wallet is in memory: a promise for each message would be felt.
   */
  reserve(partner: string, messageId: string, costMicros: Micros): Reserved | Promise<Reserved> {
    const account = this.#accounts.get(partner);
    return account === undefined
      ? this.#load(partner).then((loaded) => this.#take(loaded, messageId, costMicros))
      : this.#take(account, messageId, costMicros);
  }

  /** Whether `reserve` would set it aside now. Sets nothing aside. */
  async covers(partner: string, costMicros: Micros): Promise<boolean> {
    const account = this.#accounts.get(partner) ?? (await this.#load(partner));
    this.#expire(account);
    return account.availableMicros - account.pendingMicros >= costMicros;
  }

  /** The message was not accepted after all. */
  release(partner: string, messageId: string): void {
    const account = this.#accounts.get(partner);
    if (account !== undefined) this.#forget(account, messageId);
  }

  /** A wallet's event: its balance is the newest, and what it decided is in it. */
  seen(event: FundsEvent): void {
    const partner = `ptn_${event.stream.slice("wallet-".length)}`;
    const account = this.#accounts.get(partner);
    if (account === undefined) {
      if (this.#loading.has(partner)) this.#meanwhile.set(partner, event);
      return;
    }
    if (event.position > account.position) {
      account.position = event.position;
      account.availableMicros = parseMoney(event.data.available) ?? 0n;
    }
    if (event.type === "FundsHeld" || event.type === "FundsDeclined")
      for (const entry of event.data.entries) this.#forget(account, entry.message_id);
  }

  #take(account: Account, messageId: string, costMicros: Micros): Reserved {
    this.#expire(account);
    if (account.pending.has(messageId)) return "already";
    if (account.availableMicros - account.pendingMicros < costMicros) return "insufficient";
    account.pending.set(messageId, { costMicros, at: this.#now() });
    account.pendingMicros += costMicros;
    return "reserved";
  }

  #load(partner: string): Promise<Account> {
    let loading = this.#loading.get(partner);
    if (loading !== undefined) return loading;
    loading = this.#log
      .forPartner(partner)
      .readStream(streamOf("wallet", partner), { backwards: true, limit: 1 })
      .then(([last]) => {
        const account = {
          availableMicros: last === undefined ? 0n : (parseMoney(last.data.available) ?? 0n),
          position: last?.position ?? 0n,
          pendingMicros: 0n,
          pending: new Map(),
        };
        this.#accounts.set(partner, account);
        const newer = this.#meanwhile.get(partner);
        if (newer !== undefined) this.seen(newer);
        return account;
      })
      .finally(() => {
        this.#loading.delete(partner);
        this.#meanwhile.delete(partner);
      });
    this.#loading.set(partner, loading);
    return loading;
  }

  #forget(account: Account, messageId: string): void {
    const pending = account.pending.get(messageId);
    if (pending === undefined) return;
    account.pending.delete(messageId);
    account.pendingMicros -= pending.costMicros;
  }

  /** Oldest first, so it stops at the first that still counts. */
  #expire(account: Account): void {
    const oldest = this.#now() - pendingMs;
    for (const [messageId, { at }] of account.pending) {
      if (at > oldest) return;
      this.#forget(account, messageId);
    }
  }
}
