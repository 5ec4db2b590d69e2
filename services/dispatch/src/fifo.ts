/** A queue whose `shift` does not move what is left: arrays are compacted when half of them is used up. */
export class Fifo<Item> {
  #items: Item[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }
  push(item: Item): void {
    this.#items.push(item);
  }
  peek(): Item | undefined {
    return this.#items[this.#head];
  }
  shift(): Item | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head++];
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head > 1_024 && this.#head * 2 > this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }
  /** Puts the item before the first that `goesBefore` says it precedes. */
  insert(item: Item, goesBefore: (other: Item) => boolean): void {
    const last = this.#items.at(-1);
    if (last === undefined || !goesBefore(last)) return void this.#items.push(item);
    const index = this.#items.findIndex((other, at) => at >= this.#head && goesBefore(other));
    this.#items.splice(index, 0, item);
  }
}
