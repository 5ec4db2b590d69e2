import type { Append } from "./types.ts";

/** Whose share an append is of: all that belongs to no partner is one share. */
export const partnerOf = ({ events }: Append): string => events[0]!.metadata.partner ?? "";

/** Names of whom an end is kept before it is looked which are over. */
const TIDY_FROM = 1_024;

type Entry<Item> = { readonly item: Item; readonly cost: number; readonly start: number };
/** What waits of one name, oldest first; never empty while it is in the queue. */
type Line<Item> = { readonly name: string; entries: (Entry<Item> | undefined)[]; next: number };

/**
 * A queue in which names share by what their items cost, whoever comes with more (start-time fair queuing). Each item has a start: where its name's last one ended, or where the queue now
 * is when that is further; it ends its cost later. The item that starts first is next. So while two names wait, what they have been given differs by one item of each at most, and a name
 * that had nothing waiting is next after at most one item of each of the others; what one alone leaves free is his who asks for it.
 */
export class FairQueue<Item> {
  /** A heap by the start of the first entry. */
  readonly #heap: Line<Item>[] = [];
  readonly #lines = new Map<string, Line<Item>>();
  /** Where the last item of a name ends, of those whose end lies ahead. */
  readonly #ends = new Map<string, number>();
  #tidyFrom = TIDY_FROM;
  #at = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }
  /** How many names wait. */
  get names(): number {
    return this.#heap.length;
  }
  sizeOf(name: string): number {
    const line = this.#lines.get(name);
    return line === undefined ? 0 : line.entries.length - line.next;
  }

  push(name: string, item: Item, cost = 1): void {
    const start = Math.max(this.#at, this.#ends.get(name) ?? 0);
    this.#ends.set(name, start + cost);
    this.#size++;
    const known = this.#lines.get(name);
    if (known !== undefined) return void known.entries.push({ item, cost, start });
    const line = { name, entries: [{ item, cost, start }], next: 0 };
    this.#lines.set(name, line);
    this.#heap.push(line);
    this.#rise(this.#heap.length - 1);
  }

  /** Who is next. */
  peek(): Item | undefined {
    const line = this.#heap[0];
    return line?.entries[line.next]!.item;
  }

  /** Takes who is next, or what is next of one name before its turn. */
  shift(name?: string): Item | undefined {
    const line = name === undefined ? this.#heap[0] : this.#lines.get(name);
    if (line === undefined) return undefined;
    const index = name === undefined ? 0 : this.#heap.indexOf(line);
    const { item, start } = line.entries[line.next]!;
    // What was taken is garbage from here on, whatever still waits behind it.
    line.entries[line.next++] = undefined;
    if (index === 0) this.#at = start;
    this.#size--;
    if (line.next === line.entries.length) this.#leave(line, index);
    else if (line.next > 1_024 && line.next * 2 > line.entries.length) {
      line.entries = line.entries.slice(line.next);
      line.next = 0;
    }
    this.#sink(index);
    // Nobody has an advantage to make up for any more, and numbers stay small.
    if (this.#size === 0) {
      this.#at = 0;
      this.#ends.clear();
    }
    return item;
  }

  #leave(line: Line<Item>, index: number): void {
    this.#lines.delete(line.name);
    const last = this.#heap.pop()!;
    if (last !== line) {
      this.#heap[index] = last;
      this.#rise(index);
    }
    // Names come and go while others always wait: what is over is forgotten.
    if (this.#ends.size < this.#tidyFrom) return;
    for (const [name, end] of this.#ends) if (end <= this.#at) this.#ends.delete(name);
    // Not before as many again have come: each is looked at a few times, whoever comes and goes.
    this.#tidyFrom = Math.max(TIDY_FROM, 2 * this.#ends.size);
  }

  #startOf(index: number): number {
    const line = this.#heap[index];
    return line === undefined ? Infinity : line.entries[line.next]!.start;
  }

  #rise(from: number): void {
    for (let index = from; index > 0;) {
      const above = (index - 1) >> 1;
      // Of two that start at the same place the one that waits longer is first: it stands further up.
      if (this.#startOf(above) <= this.#startOf(index)) return;
      this.#swap(index, above);
      index = above;
    }
  }

  #sink(from: number): void {
    for (let index = from; ;) {
      let least = index;
      for (const below of [2 * index + 1, 2 * index + 2])
        if (this.#startOf(below) < this.#startOf(least)) least = below;
      if (least === index) return;
      this.#swap(index, least);
      index = least;
    }
  }

  #swap(one: number, other: number): void {
    const line = this.#heap[one]!;
    this.#heap[one] = this.#heap[other]!;
    this.#heap[other] = line;
  }
}
