import type { Asked } from "./client.ts";
import type { Api } from "./platform-session.ts";
import type { List } from "./shapes.ts";

const pageSize = 100;
/** Nobody picks one of more from a list; and a page of ours makes no more calls than these. */
const mostPages = 10;
export const mostChoices = mostPages * pageSize;

/** A list to choose from, page after page; `more`: there are others behind the first thousand. */
export async function allOf<Row>(
  api: Pick<Api, "get">,
  path: string,
  query: Asked["query"] = {},
): Promise<{ readonly data: readonly Row[]; readonly more: boolean }> {
  const data: Row[] = [];
  let after: string | undefined;
  for (let page = 0; page < mostPages; page++) {
    const found = await api.get<List<Row>>(path, { ...query, limit: pageSize, after });
    data.push(...found.data);
    if (found.next_cursor === null) return { data, more: false };
    after = found.next_cursor;
  }
  return { data, more: true };
}

/** What a list of choices says where it does not have all. */
export const notAll = `Here are the first ${mostChoices.toLocaleString("en")}: there are more.`;
