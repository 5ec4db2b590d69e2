import { html, type Shown as Cell } from "@heliograph/html";
import { base, shown, type Page, type Visit } from "../page.ts";
import type { List } from "../shapes.ts";
import { curl, empty, field, pages, table, type Column, type Field } from "../view/parts.ts";

type ListPage<Row> = {
  /** Below `/console`; the entry of the navigation too. */
  readonly path: string;
  readonly title: string;
  /** Of the REST surface. */
  readonly from: string;
  readonly columns: (visit: Visit) => readonly Column<Row>[];
  readonly filters?: readonly Field[];
  /** Whether `limit`, `after` and `before` are taken. */
  readonly paged?: boolean;
  /** What stands there while there is none: a title, and how one gets there. */
  readonly none: readonly [string, Cell];
  readonly lead?: Cell;
  /** What may be done here. */
  readonly tools?: (visit: Visit) => Cell;
};

const pageSize = 50;

/** A page that shows a list of the REST surface: filters, a table, its pages, and the call. */
export const listPage = <Row>(made: ListPage<Row>): Page => ({
  method: "GET",
  path: made.path,
  section: made.path,
  async answer(visit) {
    const { path, title, from, columns, filters = [], paged = true, none, lead, tools } = made;
    const { api, query } = visit;
    const given = Object.fromEntries(filters.map(({ name }) => [name, query.text(name)]));
    const asked = Object.entries(given).filter(([, value]) => value !== "");
    const found = await api.get<List<Row>>(from, {
      ...given,
      ...(paged && { limit: pageSize, after: query.text("after"), before: query.text("before") }),
    });
    const filtered = asked.length > 0;
    const search = new URLSearchParams(asked).toString();
    return shown(
      title,
      html`${lead !== undefined && html`<p>${lead}</p>`}${tools?.(visit)}${
        filters.length > 0 &&
        html`<form class="filters" method="get" action="${base}${path}">${filters.map((filter) => field({ ...filter, value: given[filter.name] ?? "" }))}<div class="actions"><button type="submit">Filter</button>${filtered && html`<a href="${base}${path}">Show all</a>`}</div></form>`
      }
${
  found.data.length > 0
    ? table(title, columns(visit), found.data)
    : filtered
      ? empty("Nothing fits", html`Take a filter away, or <a href="${base}${path}">show all</a>.`)
      : empty(...none)
}
${paged && pages(`${base}${path}`, given, found)}
${curl(visit, "GET", `${from}${search === "" ? "" : `?${search}`}`)}`,
    );
  },
});
