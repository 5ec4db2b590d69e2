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

/** The server's default for `MaxAppendSize`. */
export const largestAppendBytes = 1_048_576;
const headerBytes = 120n;
/** As the server's `SizeOnDisk` counts: type names are UTF-16 there. */
const sizeOf = (event: Proposed): number =>
  event.data.length + event.metadata.length + event.type.length * 2;
/** So many appends are between two of the node's own records, so that neighbours in a stream are none in the log of everything. */
const appendsPerSystemRecord = 8;

/**
 * The data of a node, in memory, by the server's own rules: positions are byte offsets, so nobody can guess the next one; idempotency is decided by event ids at the expected place.
 * Several doubles may serve one store, as the nodes of a cluster do.
 */
export class DoubleStore {
  readonly records: StoredRecord[] = [];
  readonly #streams = new Map<string, StoredRecord[]>();
  /** By stream and id: looking through a stream for each id would make long streams quadratic. */
  readonly #known = new Map<string, StoredRecord>();
  readonly #listeners = new Set<() => void>();
  #end = 1_024n;
  #appends = 0;

  constructor() {
    // A real node has records of its own before and between those of users.
    for (const stream of ["$$$settings", "$$$stats-127.0.0.1:2113"])
      this.#write(stream, [systemRecord("$metadata", '{"$maxCount":1}')]);
    this.writeSystemRecord();
  }

  /** Writes a record such as the server's statistics: in the log of everything, in no user's stream. */
  writeSystemRecord(): void {
    this.#write("$stats-127.0.0.1:2113", [systemRecord("$statsCollected", '{"proc":{}}')]);
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

  /**
   * Refuses with the stream's true revision, or stores all events, or finds that the very same ones are where they should go and repeats what it said then. With `any` that is
   * looked up by id, as long as all of them are known.
   */
  append(stream: string, expected: Expectation, events: readonly Proposed[]): Written {
    if (events.reduce((sum, event) => sum + sizeOf(event), 0) > largestAppendBytes)
      return { kind: "too-large", limit: largestAppendBytes };
    const stored = this.stream(stream);
    const current = stored.length - 1;
    if (expected === "stream_exists" && current < 0) return { kind: "wrong", current };
    if (expected === "any" || expected === "stream_exists") {
      const known = events.map(({ id }) => this.#known.get(key(stream, id)));
      const last = known.at(-1);
      if (last !== undefined && !known.includes(undefined)) return done(last);
    } else {
      const after = expected === "no_stream" ? -1 : expected;
      if (after > current) return { kind: "wrong", current };
      if (after < current) {
        const there = stored.slice(after + 1, after + 1 + events.length);
        const last = there.at(-1);
        const same =
          there.length === events.length &&
          there.every(({ id }, index) => id === events[index]!.id);
        return same && last !== undefined ? done(last) : { kind: "wrong", current };
      }
    }
    if (events.length === 0) return { kind: "ok", revision: current, position: this.#end };
    if (++this.#appends % appendsPerSystemRecord === 0) this.writeSystemRecord();
    return done(this.#write(stream, events));
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
      this.#known.set(key(stream, record.id), record);
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

const key = (stream: string, id: string): string => `${id} ${stream}`;
const done = ({ revision, position }: StoredRecord): Written => ({
  kind: "ok",
  revision,
  position,
});

function systemRecord(type: string, json: string): Proposed {
  return {
    id: crypto.randomUUID(),
    type,
    contentType: "application/json",
    data: Buffer.from(json),
    metadata: new Uint8Array(),
  };
}
