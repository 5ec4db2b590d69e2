import type { WritePart } from "@heliograph/runtime";
import { loosely } from "@heliograph/testkit";
import type { Address } from "../src/reachable.ts";

type Row = {
  readonly id: string;
  readonly partner: string;
  readonly position: string;
  readonly name: string | null;
  /** JSON, as the next two. */
  readonly profile: string;
  readonly own_ids: string;
  readonly external_ids: string;
  readonly search: string;
  readonly terms: readonly number[];
  readonly merged_into: string | null;
  readonly root: string;
  readonly erased: boolean;
  readonly created_at: string;
  readonly updated_at: string;
};
type Query = { readonly text: string; readonly name?: string; readonly values?: unknown[] };

/** `{1,2}` */
const numbersOf = (text: string): readonly number[] =>
  text === "{}" ? [] : text.slice(1, -1).split(",").map(Number);

/** The table of contacts without a database: what the statements of lists and of broadcasts do. A test compares it with PostgreSQL. */
export class Tables {
  readonly rows = new Map<string, Row>();

  apply(parts: readonly WritePart[]): void {
    for (const { name, values } of parts) {
      if (name !== "contacts_upsert") throw new Error(name);
      const columns = loosely(values);
      for (const at of columns[0].keys()) this.#upsert(columns.map((list: unknown[]) => list[at]));
    }
  }
  // oxlint-disable-next-line typescript/no-explicit-any -- values of a statement
  #upsert(values: any[]): void {
    const [id, partner, position, name, profile, own_ids, external_ids, search, terms] = values;
    const [merged_into, root, erased, created_at, updated_at] = values.slice(9);
    const known = this.rows.get(id) ?? { id, partner, position: String(position), created_at };
    const changed = { name, profile, own_ids, external_ids, search, terms: numbersOf(terms) };
    this.rows.set(id, { ...known, ...changed, merged_into, root, erased, updated_at });
  }

  /** What the service and broadcasts read of it. */
  readonly query = async ({
    name = "",
    text,
    values = [],
  }: Query): Promise<{ readonly rows: readonly object[] }> => {
    const [first, second, third] = loosely(values);
    const all = [...this.rows.values()];
    const named = all.filter(({ id, partner }) => first.includes(id) && partner === second);
    if (name.startsWith("contacts_families")) {
      const roots = new Set(all.filter(({ id }) => first.includes(id)).map(({ root }) => root));
      const rows = all.filter(
        ({ id, root, merged_into: into }) =>
          first.includes(id) || roots.has(id) || (into !== null && roots.has(root)),
      );
      return { rows };
    }
    if (name === "contacts_fields") return { rows: named };
    if (name === "contacts_addresses")
      return {
        rows: named.map(({ id, root, erased, external_ids }) => ({
          id,
          root,
          erased,
          addresses: (JSON.parse(external_ids) as (Address & { source: string })[])
            .filter(({ source }) => source === third)
            .map(({ id: address, added_at }) => ({ id: address, added_at })),
        })),
      };
    if (!text.startsWith("select c.id, c.position::text from")) throw new Error(name || text);
    return { rows: this.#members(text, loosely(values)) };
  };
  /** Of an audience: which conditions there are says the text, in the order of the values. */
  #members(text: string, values: unknown[]): readonly object[] {
    const [partner, after, upTo, ...more] = loosely(values);
    const given = more.values();
    const ids = text.includes("id = any(") ? given.next().value : undefined;
    const terms = text.includes("terms @>") ? numbersOf(given.next().value) : [];
    const tag = text.includes("'tags' ?") ? given.next().value : undefined;
    return [...this.rows.values()]
      .filter(
        (row) =>
          row.partner === partner &&
          row.merged_into === null &&
          !row.erased &&
          BigInt(row.position) > BigInt(after) &&
          BigInt(row.position) <= BigInt(upTo) &&
          (ids === undefined || ids.includes(row.id)) &&
          terms.every((term) => row.terms.includes(term)) &&
          (tag === undefined || JSON.parse(row.profile).tags.includes(tag)),
      )
      .toSorted((one, other) => Number(BigInt(one.position) - BigInt(other.position)))
      .slice(0, more.at(-1))
      .map(({ id, position }) => ({ id, position }));
  }
}
