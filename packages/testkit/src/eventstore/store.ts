/** A record as the server keeps it. `position` is where its bytes begin in the one log of the node. */
export type StoredRecord = {
  readonly position: bigint;
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly contentType: string;
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
  /** Epoch milliseconds. */
  readonly created: number;
};

export type Proposed = Pick<StoredRecord, "id" | "type" | "contentType" | "data" | "metadata">;
export type Expectation = "any" | "no_stream" | "stream_exists" | number;
export type Written =
  | { readonly kind: "ok"; readonly revision: number; readonly position: bigint }
  | { readonly kind: "wrong"; readonly current: number }
  | { readonly kind: "too-large"; readonly limit: number };

/** What the real server refuses by default. */
const largestAppendBytes = 1_048_576 * 2;
const headerBytes = 120n;

/**
 * The data of a node, in memory, by the server's own rules: positions are byte offsets, so nobody can guess the next one; idempotency is decided by event ids at the expected place.
 * Several doubles may serve one store, as the nodes of a cluster do.
 */
export class DoubleStore {
  readonly records: StoredRecord[] = [];
  readonly #streams = new Map<string, StoredRecord[]>();
  readonly #listeners = new Set<() => void>();
  #end = 1_024n;

  constructor() {
    // A real node has records of its own before and between those of users.
    for (let index = 0; index < 3; index++) this.writeSystemRecord();
  }

  /** Writes a record such as the server's statistics: in the log of everything, in no user's stream. */
  writeSystemRecord(): void {
    this.#write("$stats-127.0.0.1:2113", [
      {
        id: crypto.randomUUID(),
        type: "$statsCollected",
        contentType: "application/json",
        data: Buffer.from('{"proc":{}}'),
        metadata: new Uint8Array(),
      },
    ]);
  }

  stream(name: string): readonly StoredRecord[] {
    return this.#streams.get(name) ?? [];
  }

  /** Index of the record at a position; -1 where no record begins. */
  indexOf(position: bigint): number {
    let low = 0;
    let high = this.records.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const at = this.records[middle]!.position;
      if (at === position) return middle;
      if (at < position) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  append(stream: string, expected: Expectation, events: readonly Proposed[]): Written {
    const bytes = events.reduce((sum, event) => sum + event.data.length + event.metadata.length, 0);
    if (bytes > largestAppendBytes) return { kind: "too-large", limit: largestAppendBytes };
    const stored = this.stream(stream);
    const current = stored.length - 1;
    if (expected === "any") {
      const known = events.map(({ id }) => stored.find((record) => record.id === id));
      const last = known.at(-1);
      if (events.length > 0 && known.every((record) => record !== undefined))
        return { kind: "ok", revision: last!.revision, position: last!.position };
    } else if (expected === "stream_exists") {
      if (current < 0) return { kind: "wrong", current };
    } else {
      const after = expected === "no_stream" ? -1 : expected;
      if (after > current) return { kind: "wrong", current };
      if (after < current) {
        const there = stored.slice(after + 1, after + 1 + events.length);
        const same =
          there.length === events.length &&
          there.every(({ id }, index) => id === events[index]!.id);
        if (!same) return { kind: "wrong", current };
        return { kind: "ok", revision: there.at(-1)!.revision, position: there.at(-1)!.position };
      }
    }
    const last = this.#write(stream, events);
    return { kind: "ok", revision: last.revision, position: last.position };
  }

  #write(stream: string, events: readonly Proposed[]): StoredRecord {
    let stored = this.#streams.get(stream);
    if (stored === undefined) this.#streams.set(stream, (stored = []));
    for (const event of events) {
      const record: StoredRecord = {
        ...event,
        position: this.#end,
        stream,
        revision: stored.length,
        created: Date.now(),
      };
      stored.push(record);
      this.records.push(record);
      this.#end += headerBytes + BigInt(stream.length + event.data.length + event.metadata.length);
    }
    for (const listener of this.#listeners) listener();
    return stored.at(-1)!;
  }

  onWrite(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
