import type { WritePart } from "@heliograph/runtime";
import {
  deleteIntents,
  insertIntent,
  rewriteIntents,
  type IntendedCall,
  type Owner,
} from "./store.ts";

/** The calls that one durable row announces, by message: those that are open. */
export type Group = { readonly id: string; readonly calls: Map<string, IntendedCall> };

/** Which announced calls are open, in the form their rows have to take with the next commit. */
export class Intents {
  readonly #epoch: number;
  readonly #owner: Owner;
  #groups = 0;
  #done: string[] = [];
  #rewritten = new Set<Group>();

  constructor(epoch: number, owner: Owner) {
    this.#epoch = epoch;
    this.#owner = owner;
  }

  /** The row that announces these calls. */
  announce(calls: readonly IntendedCall[]): { readonly group: Group; readonly part: WritePart } {
    const prefix = this.#owner === null ? "" : `${this.#owner}/`;
    const id = `${prefix}${this.#epoch}.${++this.#groups}`;
    const group = { id, calls: new Map(calls.map((call) => [call[0], call])) };
    return { group, part: insertIntent(id, this.#epoch, calls, this.#owner) };
  }
  /** The call's outcome is in the log: its row may name it until the whole group is done, because a recovery finds the outcome. */
  recorded(group: Group, messageId: string): void {
    group.calls.delete(messageId);
    if (group.calls.size > 0) return;
    // Parts of one statement may not touch the same row.
    this.#rewritten.delete(group);
    this.#done.push(group.id);
  }
  /**
   * No call was made, and no event says so: the row stops naming it with the commit that gives the message back to a timer. Otherwise a recovery would
   * take it for a call that may have been made, or take it instead of a later one that was.
   */
  notMade(group: Group, messageId: string): void {
    this.recorded(group, messageId);
    if (group.calls.size > 0) this.#rewritten.add(group);
  }
  /** Whether rows have to be written or removed. */
  get waiting(): boolean {
    return this.#done.length > 0 || this.#rewritten.size > 0;
  }
  /** What the next commit writes; it is taken out of here. */
  take(): readonly WritePart[] {
    const parts: WritePart[] = [];
    if (this.#done.length > 0) parts.push(deleteIntents(this.#done));
    if (this.#rewritten.size > 0)
      parts.push(
        rewriteIntents(
          [...this.#rewritten].map(({ id, calls }) => ({ id, calls: [...calls.values()] })),
        ),
      );
    this.#done = [];
    this.#rewritten = new Set();
    return parts;
  }
}
