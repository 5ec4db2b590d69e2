import type { Append } from "@heliograph/log";
import type { WritePart } from "@heliograph/runtime";
import {
  deleteIntents,
  insertDecisions,
  insertIntent,
  rewriteIntents,
  type IntendedCall,
  type Owner,
} from "./store.ts";

/** What one durable row announces, by message: that of it which is open. */
export type Announcement<What = unknown> = {
  readonly id: string;
  readonly open: Map<string, What>;
};
/** The calls that one row announces. */
export type Group = Announcement<IntendedCall>;

/** Which announced calls and appends are open, in the form their rows have to take with the next commit. */
export class Intents {
  readonly #epoch: number;
  readonly #owner: Owner;
  #rows = 0;
  #done: string[] = [];
  #rewritten = new Set<Group>();

  constructor(epoch: number, owner: Owner) {
    this.#epoch = epoch;
    this.#owner = owner;
  }

  /** The row that announces these calls. */
  announce(calls: readonly IntendedCall[]): { readonly group: Group; readonly part: WritePart } {
    const id = this.#nextId();
    const group = { id, open: new Map(calls.map((call) => [call[0], call])) };
    return { group, part: insertIntent(id, this.#epoch, calls, this.#owner) };
  }
  /** The row that announces these appends, by message. */
  announceAppends(appends: ReadonlyMap<string, Append>): {
    readonly row: Announcement;
    readonly part: WritePart;
  } {
    const id = this.#nextId();
    const part = insertDecisions(id, this.#epoch, [...appends.values()], this.#owner);
    return { row: { id, open: new Map(appends) }, part };
  }
  #nextId(): string {
    const prefix = this.#owner === null ? "" : `${this.#owner}/`;
    return `${prefix}${this.#epoch}.${++this.#rows}`;
  }
  /** What became of it is in the log: its row may name it until the whole group is done, because a recovery finds that there. */
  recorded(group: Announcement, messageId: string): void {
    if (!group.open.delete(messageId) || group.open.size > 0) return;
    // Parts of one statement may not touch the same row.
    this.#rewritten.delete(group as Group);
    this.#done.push(group.id);
  }
  /**
   * No call was made, and no event says so: the row stops naming it with the commit that gives the message back to a timer. Otherwise a recovery would
   * take it for a call that may have been made, or take it instead of a later one that was.
   */
  notMade(group: Group, messageId: string): void {
    this.recorded(group, messageId);
    if (group.open.size > 0) this.#rewritten.add(group);
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
          [...this.#rewritten].map(({ id, open }) => ({ id, calls: [...open.values()] })),
        ),
      );
    this.#done = [];
    this.#rewritten = new Set();
    return parts;
  }
}
