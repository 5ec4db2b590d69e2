import type { WritePart } from "@heliograph/runtime";
import { loosely } from "@heliograph/testkit";
import { type Grain, type RowKey, grains, nameOf } from "../src/rows.ts";

const keyColumns = [
  "partner",
  "at",
  "kind",
  "tag",
  "channel",
  "country",
  "template",
  "gateway",
  "status",
  "currency",
] as const;

type Counts = {
  readonly messages: number;
  readonly segments: number;
  readonly cost: bigint;
  readonly to_sent: Buffer;
  readonly to_delivered: Buffer;
};
export type StoredRow = { readonly key: RowKey } & Counts;
type Name = {
  readonly partner: string;
  readonly day: number;
  readonly kind: string;
  readonly name: string;
};
type WrittenOff = { readonly message_id: string; readonly position: bigint };
type Query = { readonly text: string; readonly name?: string; readonly values?: unknown[] };

/** Keys of rows as a statement has them: a list for each column. */
const keysOf = (grain: Grain, columns: readonly (readonly unknown[])[]): readonly RowKey[] =>
  columns[0]!.map((_, at) =>
    loosely({
      grain,
      ...Object.fromEntries(keyColumns.map((name, column) => [name, columns[column]![at]])),
    }),
  );

/** The tables of usage without a database: what their statements do. A test compares them with PostgreSQL. */
export class Tables {
  readonly rows = new Map<string, StoredRow>();
  readonly names: Name[] = [];
  readonly writtenOff: WrittenOff[] = [];
  /** Rows that two parts of a statement change, and names that are written twice: PostgreSQL refuses the one and the other. */
  readonly faults: string[] = [];

  apply(parts: readonly WritePart[]): void {
    for (const { name, values } of parts) this.#applyOne(name, loosely(values));
  }
  // oxlint-disable-next-line typescript/no-explicit-any -- values of statements
  #applyOne(name: string, values: any): void {
    for (const grain of grains) {
      if (name === `usage_${grain}`) return this.#upsert(grain, values);
      if (name === `usage_${grain}_none`) {
        for (const key of keysOf(grain, values)) this.rows.delete(nameOf(key));
        return;
      }
    }
    const [first, second, third, fourth] = values;
    if (name === "usage_names") {
      for (const [at, partner] of first.entries())
        this.#addName({ partner, day: second[at], kind: third[at], name: fourth[at] });
    } else if (name === "usage_written_off") {
      for (const [at, message_id] of second.entries()) {
        const position = BigInt(third[at]);
        const isKnown = this.writtenOff.some(
          (each) => each.message_id === message_id && each.position === position,
        );
        if (!isKnown) this.writtenOff.push({ message_id, position });
      }
    } else throw new Error(name);
  }
  // oxlint-disable-next-line typescript/no-explicit-any -- values of statements
  #upsert(grain: Grain, values: any): void {
    const [messages, segments, cost, toSent, toDelivered] = values.slice(keyColumns.length);
    const changed = new Set<string>();
    for (const [at, key] of keysOf(grain, values).entries()) {
      const name = nameOf(key);
      if (changed.has(name)) this.faults.push(`a statement changes ${name} twice`);
      changed.add(name);
      this.rows.set(name, {
        key,
        messages: messages[at],
        segments: segments[at],
        cost: cost[at],
        to_sent: toSent[at],
        to_delivered: toDelivered[at],
      });
    }
  }
  #addName(given: Name): void {
    const { partner, day, kind, name } = given;
    const isKnown = this.names.some(
      (each) =>
        each.partner === partner && each.day === day && each.kind === kind && each.name === name,
    );
    if (isKnown) this.faults.push(`the name ${name} of ${partner} is written twice`);
    this.names.push(given);
  }

  /** What the service reads of them. */
  readonly query = async ({
    name = "",
    text,
    values = [],
  }: Query): Promise<{ readonly rows: readonly object[] }> => {
    const [first, second] = loosely(values);
    for (const grain of grains)
      if (name.endsWith(`.load_${grain}`))
        return {
          rows: keysOf(grain, loosely(values)).flatMap((key, at) => {
            const row = this.rows.get(nameOf(key));
            if (row === undefined) return [];
            const { messages, segments, cost, to_sent, to_delivered } = row;
            const counts = { messages: `${messages}`, segments: `${segments}`, cost: `${cost}` };
            return [{ n: `${at + 1}`, ...counts, to_sent, to_delivered }];
          }),
        };
    if (name.endsWith(".load_names")) {
      const days = new Set(first.map((partner: string, at: number) => `${partner} ${second[at]}`));
      return { rows: this.names.filter(({ partner, day }) => days.has(`${partner} ${day}`)) };
    }
    if (name.endsWith(".load_written_off")) {
      const rows = this.writtenOff
        .filter(({ message_id }) => first.includes(message_id))
        .toSorted((one, other) => Number(one.position - other.position))
        .map(({ message_id, position }) => ({ message_id, position: `${position}` }));
      return { rows };
    }
    if (text.includes("dead_letters")) return { rows: [] };
    throw new Error(name || text);
  };
}
