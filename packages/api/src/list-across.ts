import type { Environment } from "@heliograph/contracts";
import type { Call } from "./call.ts";
import { type ListQuery, listBody, pageOf } from "./listing.ts";
import { orNone, reachable, requireReach } from "./reach.ts";

/** What is listed by a number that counts within its environment, newest first. `time` is RFC 3339 in UTC. */
type Numbered = { readonly id: string; readonly time: string };
export type Located<Row> = Row & { readonly environment: Environment };

/**
 * A page of rows that each environment's database keeps for itself, newest first, of one environment or of all that the key reaches.
 * A cursor holds how far each environment was read. `name` tells the list and its filters.
 */
export async function listAcross<Row extends Numbered>(
  call: Call<unknown, Omit<ListQuery, "before"> & { environment?: Environment | undefined }>,
  name: string,
  read: (
    environment: Environment,
    range: { readonly limit: number; readonly before?: string },
  ) => Promise<readonly Row[]>,
  show: (row: Located<Row>) => object,
): Promise<object> {
  const { environment } = call.query;
  if (environment !== undefined) requireReach(call, environment);
  const list = `${name} ${environment ?? ""}`;
  const page = pageOf(call, list);
  const seen = parseSeen(page.after);
  const lists = await Promise.all(
    (environment === undefined ? reachable(call) : [environment]).map(async (item) => {
      const before = seen.get(item);
      const range = { limit: page.limit + 1, ...(before !== undefined && { before }) };
      const rows = await orNone(read(item, range));
      return rows.map((row): Located<Row> => ({ ...row, environment: item }));
    }),
  );
  const rows = newestFirst(lists);
  const reached = (): string => {
    for (const row of rows.slice(0, page.limit)) seen.set(row.environment, row.id);
    return [...seen].map(([key, id]) => `${key}-${id}`).join(" ");
  };
  return { ...listBody(call, list, page, rows, reached, show), prev_cursor: null };
}

function parseSeen(cursor: string | undefined): Map<Environment, string> {
  const items = cursor === undefined ? [] : cursor.split(" ");
  return new Map(items.map((item) => item.split("-") as [Environment, string]));
}

/** Merges lists without changing the order in any of them, because cursors count on it. */
function newestFirst<Row extends Numbered>(lists: readonly (readonly Row[])[]): readonly Row[] {
  const queues = lists.filter((list) => list.length > 0).map((list) => [...list]);
  const rows: Row[] = [];
  while (queues.length > 0) {
    const newest = queues.reduce((best, queue) => (queue[0]!.time > best[0]!.time ? queue : best));
    rows.push(newest.shift()!);
    if (newest.length === 0) queues.splice(queues.indexOf(newest), 1);
  }
  return rows;
}
