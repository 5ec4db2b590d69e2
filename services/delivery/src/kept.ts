/** Found together by all that ask for the same: counted once, told for a while. */
type Entry<Value> = { until: number; readonly value: Promise<Value> };

export type KeptOptions = {
  /** How long a value is told after it was made. */
  readonly ms: number;
  /** Most values at once; the oldest go first. */
  readonly most: number;
  readonly now?: () => number;
};

/** Values that take long to make. One that fails is made again for the next who asks. */
export class Kept<Value> {
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #options: Required<KeptOptions>;

  constructor({ ms, most, now = () => performance.now() }: KeptOptions) {
    this.#options = { ms, most, now };
  }

  /** `enough`: whether a value that is there will do. */
  async get(
    key: string,
    make: () => Promise<Value>,
    enough: (value: Value) => boolean,
  ): Promise<Value> {
    const found = this.#entries.get(key);
    if (found !== undefined && found.until > this.#options.now()) {
      const value = await found.value;
      if (enough(value)) return value;
      // Whoever waited for the same one before us may have made another.
      if (this.#entries.get(key) !== found) return this.get(key, make, enough);
    }
    return this.#make(key, make);
  }

  #make(key: string, make: () => Promise<Value>): Promise<Value> {
    const { ms, most, now } = this.#options;
    for (const [name, { until }] of this.#entries) if (until <= now()) this.#entries.delete(name);
    this.#entries.delete(key);
    const entry: Entry<Value> = { until: Number.POSITIVE_INFINITY, value: make() };
    this.#entries.set(key, entry);
    if (this.#entries.size > most) this.#entries.delete(this.#entries.keys().next().value!);
    entry.value.then(
      () => (entry.until = now() + ms),
      () => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
      },
    );
    return entry.value;
  }
}
