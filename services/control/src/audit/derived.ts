import type { Environment } from "@heliograph/contracts";
import { formatPosition, type RecordedEvent } from "@heliograph/log";
import type { Entry, Source } from "./entry.ts";
import { entryOf } from "./from-log.ts";

/** Of rows that differ, so many are named; more are counted. */
const mostNamed = 20;
/** Rows that are held against each other at once, and events among which there are hardly any. */
const rowsAtOnce = 500;
const eventsAtOnce = 100_000;

/**
 * Holds the entries that follow from a log's events, one after the other, against those that the source of the API gives for the same part of the log: offered every event of it, in order.
 * Keeps some hundreds of entries, however long the log is.
 */
export class DerivedCheck {
  readonly #environment: Environment;
  readonly #source: Source;
  #expected: Entry[] = [];
  #events = 0;
  /** Up to here both sides agree, or what differs is told. */
  #begin: bigint;
  #end: bigint;
  rows = 0;
  differences = 0;
  /** The first of them, in words. */
  readonly named: string[] = [];

  constructor(environment: Environment, source: Source, from: bigint) {
    this.#environment = environment;
    this.#source = source;
    this.#begin = this.#end = from;
  }

  offer = async (events: readonly RecordedEvent[]): Promise<void> => {
    for (const event of events) {
      const entry = entryOf(this.#environment, event);
      if (entry !== undefined) this.#expected.push(entry);
      this.#end = event.position;
      this.#events++;
      if (this.#expected.length >= rowsAtOnce || this.#events >= eventsAtOnce) await this.end();
    }
  };

  /** Compares what was offered last. */
  async end(): Promise<void> {
    const served = await entriesBetween(this.#source, this.#begin, this.#end);
    for (const text of differencesOf(this.#expected, served)) {
      this.differences++;
      if (this.named.length < mostNamed) this.named.push(text);
    }
    this.rows += this.#expected.length;
    this.#expected = [];
    this.#events = 0;
    this.#begin = this.#end;
  }
}

/** What the source gives of positions behind one and up to another, oldest first, as pages of the API come to it: from the newest back. */
export async function entriesBetween(
  source: Source,
  begin: bigint,
  end: bigint,
  limit = Infinity,
): Promise<readonly Entry[]> {
  const found: Entry[] = [];
  for (let beyond = end + 1n; ;) {
    const range = { limit: rowsAtOnce, beyond: String(beyond), newer: false };
    const { entries, reached } = await source.read({}, range);
    const inside = entries.filter(({ key }) => BigInt(key) > begin);
    found.push(...inside);
    const last = reached?.key ?? entries.at(-1)?.key;
    if (inside.length < entries.length || last === undefined || found.length >= limit) break;
    beyond = BigInt(last);
    if (beyond <= begin + 1n) break;
  }
  return found.toReversed();
}

/** In words, by the key of each row: what is missing, what was added, and what is not as the log has it. */
export function differencesOf(
  expected: readonly Entry[],
  served: readonly Entry[],
): readonly string[] {
  const left = Map.groupBy(served, ({ key }) => key);
  const found: { readonly key: string; readonly text: string }[] = [];
  const tell = ({ key, id, action }: Entry, what: string) =>
    found.push({ key: formatPosition(BigInt(key)), text: `row ${id} (${action}) ${what}` });
  for (const entry of expected) {
    const others = left.get(entry.key) ?? [];
    const same = others.findIndex((other) => changedNames(entry, other).length === 0);
    const [other] = others.splice(Math.max(same, 0), 1);
    if (other === undefined) tell(entry, "is missing");
    else if (same === -1)
      tell(entry, `is not as it follows from the log: ${changedNames(entry, other).join(", ")}`);
  }
  for (const entry of [...left.values()].flat())
    tell(entry, "was added: nothing in the log leads to it");
  return found.toSorted((one, other) => (one.key < other.key ? -1 : 1)).map(({ text }) => text);
}

const changedNames = (one: Entry, other: Entry): readonly string[] =>
  (Object.keys(one) as (keyof Entry)[]).filter(
    (name) => JSON.stringify(one[name]) !== JSON.stringify(other[name]),
  );
