import { encodeAppend, expectedRevision, type Encoded } from "./check.ts";
import {
  asRecorded,
  type Append,
  type Companion,
  type Joining,
  type Position,
  type RecordedEvent,
  type Validate,
} from "./types.ts";

/** After others have stored something in between, what was decided early was in vain: for so long nothing is. */
const QUIET_MS = 1_000;

export type Item = { readonly append: Append; readonly encoded: readonly Encoded[] };

/** What goes along with a flush. Its owners are told once what has become of it. */
export type Party = { readonly items: readonly Item[]; over(stored: boolean): void };

/** Those who decide early what follows from events, so that it is stored with them. */
export class Companions {
  readonly #all = new Set<Companion>();
  readonly #validate: Validate | undefined;
  readonly #onError: (error: unknown) => void;
  #quietUntil = 0;

  constructor(validate: Validate | undefined, onError: (error: unknown) => void = () => undefined) {
    this.#validate = validate;
    this.#onError = onError;
  }

  readonly add = (companion: Companion): (() => void) => {
    this.#all.add(companion);
    return () => void this.#all.delete(companion);
  };

  get areThere(): boolean {
    return this.#all.size > 0;
  }

  /** Others store events too: what was asked for was stored without company. */
  missed(): void {
    this.#quietUntil = performance.now() + QUIET_MS;
  }

  /** What follows from these, if they are stored right behind `base`. A stream that is `taken` gets nothing: who writes to it knows nothing of it. */
  join(
    items: readonly Item[],
    base: Position,
    isTaken: (stream: string) => boolean,
  ): Party | undefined {
    if (this.#all.size === 0 || performance.now() < this.#quietUntil) return undefined;
    const overs: ((stored: boolean) => void)[] = [];
    const joinedItems: Item[] = [];
    const streams = new Set<string>();
    for (const companion of this.#all) {
      const joining = this.#ask(companion, items, base);
      if (joining === undefined) continue;
      const over = (stored: boolean): void => this.#tell(companion, () => joining.over(stored));
      const encoded = joining.appends.map((append) => encodeAppend(append, this.#validate));
      const fits = joining.appends.every(
        ({ stream, expected }, at) =>
          typeof encoded[at] !== "string" &&
          expected !== "any" &&
          !streams.has(stream) &&
          !isTaken(stream),
      );
      if (!fits) {
        over(false);
        continue;
      }
      overs.push(over);
      for (const [at, append] of joining.appends.entries()) {
        streams.add(append.stream);
        joinedItems.push({ append, encoded: encoded[at] as Encoded[] });
      }
    }
    if (overs.length === 0) return undefined;
    return {
      items: joinedItems,
      over(stored) {
        for (const over of overs) over(stored);
      },
    };
  }

  /** Tells of everything that this process has stored, before anybody else hears of it. */
  stored(events: readonly RecordedEvent[]): void {
    for (const companion of this.#all) this.#tell(companion, () => companion.stored(events));
  }

  /** Whoever fails to hear what became of events knows too little to be asked again; the events stand, and who stored them is told so. */
  #tell(companion: Companion, tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#all.delete(companion);
      this.#onError(error);
    }
  }

  #ask(companion: Companion, items: readonly Item[], base: Position): Joining | undefined {
    const coming = comingOf(items, base, companion.types);
    if (coming.length === 0) return undefined;
    try {
      return companion.join(coming, base);
    } catch (error) {
      // It is decided in its own time, by who can say what is wrong.
      this.#onError(error);
      return undefined;
    }
  }
}

/** Those of the types, as they will be read; the time is nearly theirs. */
function comingOf(
  items: readonly Item[],
  base: Position,
  types: ReadonlySet<string>,
): readonly RecordedEvent[] {
  const recordedAt = Date.now();
  const coming: RecordedEvent[] = [];
  let position = base;
  for (const { append } of items) {
    let revision = expectedRevision(append.expected);
    for (const event of append.events) {
      position++;
      revision++;
      if (!types.has(event.type)) continue;
      const { stream } = append;
      coming.push(asRecorded({ version: 1, ...event, stream, revision, position, recordedAt }));
    }
  }
  return coming;
}
