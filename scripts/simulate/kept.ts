import { Fenced, type WritePart } from "@heliograph/runtime";
import { type Hold, noteHolds } from "@heliograph/domain";
import type { EventLog } from "@heliograph/log";
import { streamOf } from "@heliograph/contracts";
import { loosely } from "@heliograph/testkit";
import { Tables } from "../../services/webhooks/test/sim-tables.ts";
import type { Chance } from "./chance.ts";

export type Query = { readonly text: string; readonly name?: string; readonly values?: unknown[] };
export type Rows = { readonly rows: readonly object[] };

/** What a reactor's database keeps of it, whoever its owner is. */
export class Kept {
  /** Of the present owner. */
  epoch = 0;
  position = 0n;
  /** How often something of it changed. */
  changes = 0;

  commit(epoch: number, to: bigint, parts: readonly WritePart[]): void {
    if (epoch !== this.epoch) throw new Fenced("an owner");
    this.apply(parts);
    if (parts.length > 0 || to > this.position) this.changes++;
    if (to > this.position) this.position = to;
  }
  protected apply(parts: readonly WritePart[]): void {
    for (const { name } of parts) throw new Error(name);
  }
  async query(_: Query): Promise<Rows> {
    return { rows: [] };
  }
}

/** Of delivery: its table of receipts that wait. */
export class ReceiptsKept extends Kept {
  readonly #parked = new Map<string, { readonly expiresAt: number; readonly partner: string }>();

  protected override apply(parts: readonly WritePart[]): void {
    for (const { name, values } of parts) {
      const [ids, times, partners] = loosely(values);
      if (name !== "parked_add" && name !== "parked_remove") throw new Error(name);
      for (const [at, id] of ids.entries())
        if (name === "parked_remove") this.#parked.delete(id);
        else this.#parked.set(id, { expiresAt: times[at], partner: partners[at] });
    }
  }
  override async query({ text }: Query): Promise<Rows> {
    if (!text.includes(".parked")) return { rows: [] };
    return {
      rows: [...this.#parked].map(([id, { expiresAt, partner }]) => ({
        message_id: id,
        expires_at: new Date(expiresAt),
        partner,
      })),
    };
  }
}

type OpenHold = { readonly message_id: string; due_at: Date };

/** Of the wallet: holds that may lapse, and the read model, which is behind the log by as much as chance lets it be. */
export class LedgerKept extends Kept {
  readonly open = new Map<string, OpenHold>();
  readonly #log: EventLog;
  readonly #chance: Chance;
  readonly #wallet: string;
  #mark = 0n;
  #shown = 0;

  constructor(log: EventLog, chance: Chance, wallet: string) {
    super();
    this.#log = log;
    this.#chance = chance;
    this.#wallet = wallet;
  }

  override async query({ name, text, values }: Query): Promise<Rows> {
    const [first, second, third, fourth, fifth, sixth] = loosely(values ?? []);
    switch (name) {
      case "wallet_holds":
        return { rows: await this.#holds(first, second) };
      case "wallet_open_holds":
        if (sixth > this.#mark) this.#mark = sixth;
        for (const [at, message_id] of first.entries())
          if (!this.open.has(message_id)) {
            const [partner, wallet, currency] = [second[at], third[at], fourth[at]];
            const hold = { message_id, partner, wallet, currency, due_at: fifth[at] };
            this.open.set(message_id, hold);
          }
        return { rows: [] };
      case "wallet_due_holds":
        return { rows: [...this.open.values()].filter(({ due_at }) => due_at <= first) };
      case "wallet_forget_open_holds":
        for (const id of first) this.open.delete(id);
        return { rows: [] };
      default:
        if (text.includes(".marks")) return { rows: [{ position: this.#mark }] };
        // Nothing is shown, so nothing is proven at night.
        if (text.includes("proof_runs")) return { rows: [{ due_at: new Date(8.64e15) }] };
        return { rows: [{ n: 0 }] };
    }
  }
  async #holds(ids: readonly string[], wallets: readonly string[]): Promise<readonly object[]> {
    const events = await this.#log.readStream(streamOf("wallet", this.#wallet));
    const behind = events.length - this.#shown;
    this.#shown += Math.floor(this.#chance.draw() * (behind + 1));
    const holds = new Map<string, Hold>();
    for (const event of events.slice(0, this.#shown)) noteHolds(holds, event);
    const found = ids.flatMap((message_id) => {
      const hold = holds.get(message_id);
      if (hold === undefined) return [];
      const { amount, status, on: spent_on = null } = hold;
      return [{ message_id, partner: this.#wallet, amount, status, spent_on, revision: null }];
    });
    if (this.#shown === 0 || !wallets.includes(this.#wallet)) return found;
    const revision = this.#shown - 1;
    return [...found, { message_id: null, partner: this.#wallet, revision }];
  }
}

/** Of webhooks. */
export class WebhooksKept extends Kept {
  readonly tables = new Tables();

  protected override apply(parts: readonly WritePart[]): void {
    this.tables.apply(parts);
  }
}
