import type { WritePart } from "@heliograph/runtime";
import { deleteTimers, upsertTimers, type Owner, type Timer } from "./store.ts";

/** Timers that the next commit sets and removes. */
export class Rows {
  #set = new Map<string, Timer>();
  /** Those of the commit that is under way. */
  #writing: ReadonlyMap<string, Timer> = new Map();
  #done = new Set<string>();

  set(messageId: string, timer: Timer): void {
    this.#done.delete(messageId);
    this.#set.set(messageId, timer);
  }
  remove(messageId: string): void {
    this.#set.delete(messageId);
    this.#done.add(messageId);
  }
  /** The announcement that shares its commit stands for the message from there on. */
  replaced(messageId: string): void {
    this.#done.add(messageId);
  }
  /** Its timer is set, and not durable yet. */
  isSetting(messageId: string): boolean {
    return this.#set.has(messageId) || this.#writing.has(messageId);
  }
  /** How many the next commit sets: somebody waits for them. */
  get count(): number {
    return this.#set.size;
  }
  get waiting(): boolean {
    return this.#set.size > 0 || this.#done.size > 0;
  }
  /** What the next commit writes, and the timers that it sets. Parts of one statement may not touch the same row: a timer that is set again is not removed. */
  take(
    owner: Owner,
    now: number,
  ): { readonly parts: readonly WritePart[]; readonly timers: Iterable<Timer> } {
    const set = this.#set;
    const gone = [...this.#done].filter((id) => !set.has(id));
    this.#set = new Map();
    this.#writing = set;
    this.#done = new Set();
    const parts = [
      ...(set.size > 0 ? [upsertTimers(set, () => owner, now)] : []),
      ...(gone.length > 0 ? [deleteTimers(gone)] : []),
    ];
    return { parts, timers: set.values() };
  }
  written(): void {
    this.#writing = new Map();
  }
}
