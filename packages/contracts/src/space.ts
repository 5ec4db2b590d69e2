import type { Category } from "./ids.ts";

/**
 * What a partner's data is named by: streams, rows, keys and ids are derived from it. In live, and in a sandbox that was never reset, it is the partner's id. A reset gives the sandbox another
 * space, `ptn_…~1`, which is empty, and whatever goes on in the one before it reaches nobody. What stays belongs to the partner's account, and is named by its id alone.
 */
const mark = "~";

/** The partner's id. */
export const accountOf = (space: string): string => {
  const at = space.indexOf(mark);
  return at === -1 ? space : space.slice(0, at);
};
/** How often the sandbox was reset before. */
export const resetsBefore = (space: string): number => {
  const at = space.indexOf(mark);
  return at === -1 ? 0 : Number(space.slice(at + 1));
};
export const spaceAfter = (account: string, resets: number): string =>
  resets === 0 ? account : `${account}${mark}${resets}`;
/** The account as an SQL expression over a column that holds a space. */
export const accountSql = (column: string): string => `split_part(${column}, '${mark}', 1)`;

/** What a partner has in whatever space: events in these streams name the space in which they were written, and are the account's. */
const ofAccounts: ReadonlySet<string> = new Set<Category>([
  "template",
  "endpoint",
  "team",
  "presence",
  "session",
  "sandbox",
]);
/** Whether what stands in a stream outlives the space in which it was written. */
export const outlivesSpaces = (stream: string): boolean =>
  ofAccounts.has(stream.slice(0, stream.indexOf("-")));
