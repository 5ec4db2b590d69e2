import { Fenced, type WritePart } from "@heliograph/runtime";
import { loosely } from "@heliograph/testkit";
import type { DueTimer, Intent, Timer } from "../src/store.ts";

/** The tables of a dispatcher, as statements that change all or nothing, for the owner of an epoch. */
export class Tables {
  /** Of the present owner. */
  epoch = 0;
  position = 0n;
  readonly intents = new Map<string, Omit<Intent, "id"> & { epoch: number }>();
  readonly timers = new Map<string, Timer & { epoch: number }>();

  commit(epoch: number, from: bigint, to: bigint, parts: readonly WritePart[]): void {
    if (epoch !== this.epoch || from !== this.position) throw new Fenced("dispatch");
    for (const { name, values } of parts) this.#apply(name, values as never[]);
    this.position = to;
  }
  #apply(name: string, values: readonly unknown[]): void {
    const [first, second, third, , fifth, sixth] = loosely(values);
    switch (name) {
      case "intent":
        return void this.intents.set(first, {
          epoch: second,
          calls: JSON.parse(third),
          decided: [],
          damaged: false,
          unreadable: [],
        });
      case "decisions":
        return void this.intents.set(first, {
          epoch: second,
          calls: [],
          decided: JSON.parse(third),
          damaged: false,
          unreadable: [],
        });
      case "intents_done":
        for (const id of first) this.intents.delete(id);
        return;
      case "intents_rewritten":
        for (const [at, id] of first.entries())
          if (this.intents.has(id))
            this.intents.set(id, { ...this.intents.get(id)!, calls: JSON.parse(second[at]) });
        return;
      case "timers":
        for (const [at, id] of first.entries()) {
          const [dueAt, kind, partner] = [second[at], third[at], fifth[at] ?? undefined];
          this.timers.set(id, { dueAt, kind, partner, revision: sixth[at], epoch: 0 });
        }
        return;
      case "timers_done":
        for (const id of first) this.timers.delete(id);
        return;
      default:
        throw new Error(name);
    }
  }
  /** Rows that no owner of this epoch, or of a later one, has taken. */
  free(epoch: number): readonly DueTimer[] {
    return [...this.timers]
      .filter(([, timer]) => timer.epoch < epoch)
      .map(([messageId, timer]) => ({ messageId, ...timer }))
      .toSorted((one, other) => one.dueAt - other.dueAt);
  }
  takeDue(epoch: number, now: number, limit: number): readonly DueTimer[] {
    const due = this.free(epoch)
      .filter(({ dueAt }) => dueAt <= now)
      .slice(0, limit);
    for (const { messageId } of due) this.timers.get(messageId)!.epoch = epoch;
    return due;
  }
}
