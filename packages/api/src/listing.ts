import { decodeCursor, encodeCursor } from "./cursor.ts";
import { z } from "zod";
import type { Call } from "./call.ts";
import { givenOnce, queryInt } from "./inputs.ts";
import { anotherName } from "./deprecation.ts";

export const maxPageSize = 100;
const defaultPageSize = 25;

/** The query that every list takes, to be extended by its filters. */
export const ListQuery = z.strictObject({
  limit: queryInt(1, maxPageSize).optional(),
  after: z.string().max(512).optional().meta({ description: "`next_cursor` of an earlier page." }),
  cursor: anotherName(z.string().max(512), "after"),
  before: z.string().max(512).optional().meta({ description: "`prev_cursor` of an earlier page." }),
});
export type ListQuery = z.infer<typeof ListQuery>;

/** The answer of every list. */
export const listOf = <Item extends z.ZodType>(item: Item, id: string) =>
  z
    .object({
      data: z.array(item),
      next_cursor: z.string().nullable(),
      next_after: z
        .string()
        .nullable()
        .meta({ description: "The same as `next_cursor`.", examples: [null] }),
      prev_cursor: z.string().nullable(),
    })
    .meta({ id });

/** Where a page begins: behind `after`, or ending before `before`. Keys are what the list's cursors hold. */
export type Page = {
  readonly limit: number;
  readonly after: string | undefined;
  readonly before: string | undefined;
};

/** Opens the cursors of a list query. Throws `invalid_request` for a cursor of another list, partner or environment. */
export function pageOf(call: Call<unknown, ListQuery>, list: string): Page {
  const open = (text: string | undefined, path: string): string | undefined =>
    text === undefined
      ? undefined
      : String(decodeCursor(call.context.masterKey, scopeOf(call, list), text, path));
  const { after, cursor } = call.query;
  return {
    limit: call.query.limit ?? defaultPageSize,
    after: open(givenOnce({ after, cursor }), "after"),
    before: open(call.query.before, "before"),
  };
}

/**
 * The body of a list answer. `rows` are in the list's order and may hold one row more than the limit, at the end where more was
 * looked for: behind the page, or before it when the page was asked for with `before`. `beyond` are the keys to go on from where no
 * row says so: a filter may leave a page short or empty although there is more.
 */
export function listBody<Row>(
  call: Call<unknown, ListQuery>,
  list: string,
  page: Page,
  rows: readonly Row[],
  keyOf: (row: Row) => string,
  show: (row: Row) => object,
  beyond: { readonly newer?: string | undefined; readonly older?: string | undefined } = {},
): object {
  const backwards = page.before !== undefined;
  const more = rows.length > page.limit;
  const shown = !more ? rows : backwards ? rows.slice(-page.limit) : rows.slice(0, page.limit);
  const seal = (row: Row | undefined, other: string | undefined): string | null => {
    const key = row === undefined ? other : keyOf(row);
    return key === undefined
      ? null
      : encodeCursor(call.context.masterKey, scopeOf(call, list), key);
  };
  const next = seal(backwards || more ? shown.at(-1) : undefined, beyond.older);
  return {
    data: shown.map(show),
    next_cursor: next,
    next_after: next,
    prev_cursor: seal(
      (backwards ? more : page.after !== undefined) ? shown[0] : undefined,
      beyond.newer,
    ),
  };
}

/** The rows of one page of a list that is in memory, sorted by ascending key, with one more row where there is one. */
export function slicePage<Row>(
  rows: readonly Row[],
  page: Page,
  keyOf: (row: Row) => string,
): readonly Row[] {
  const { after, before, limit } = page;
  if (before !== undefined) return rows.filter((row) => keyOf(row) < before).slice(-limit - 1);
  return (after === undefined ? rows : rows.filter((row) => keyOf(row) > after)).slice(
    0,
    limit + 1,
  );
}

const scopeOf = (call: Call<unknown, ListQuery>, list: string): string =>
  `${list} ${call.env} ${call.partner.partner_id}`;
