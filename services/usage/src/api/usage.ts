import {
  type Answer,
  type Call,
  type Route,
  decodeCursor,
  encodeCursor,
  givenOnce,
  originOf,
  route,
} from "@heliograph/api";
import { formatTime } from "@heliograph/domain";
import { formatPosition } from "@heliograph/log";
import { type UsagePage, readUsage } from "../tables/usage.ts";
import { Query, groupsOf, limitOf, rangeOf } from "./query.ts";
import { Usage, csvOf, viewOf } from "./view.ts";

const hourMs = 3_600_000;

async function usage(call: Call<undefined, Query>): Promise<Answer> {
  const { query } = call;
  const groups = groupsOf(query);
  const { fromMs, toMs } = rangeOf(query, groups, call.now());
  const limit = limitOf(query);
  const scope = `usage ${call.env} ${call.partner.partner_id} ${groups.join()}`;
  const secret = call.context.masterKey;
  const after = givenOnce({ after: query.after, cursor: query.cursor });
  const { rows, asOf } = await readUsage(call.deps.projectionPool, {
    partner: call.partner.partner_id,
    from: fromMs / hourMs,
    to: toMs / hourMs,
    groups,
    limit,
    after:
      after === undefined
        ? undefined
        : (decodeCursor(secret, scope, after) as UsagePage["rows"][number]["groups"]),
  });
  const shown = rows.slice(0, limit);
  const next = rows.length > limit ? encodeCursor(secret, scope, shown.at(-1)!.groups) : null;
  if (query.format === "csv") {
    const address = new URL(call.request.url, originOf(call.request, call.context.settings));
    // The page that was asked for may be named by either.
    address.searchParams.delete("cursor");
    if (next !== null) address.searchParams.set("after", next);
    return {
      status: 200,
      body: csvOf(groups, shown),
      headers: {
        "content-type": "text/csv; charset=utf-8",
        "content-disposition": 'attachment; filename="usage.csv"',
        "as-of-position": formatPosition(asOf),
        ...(next !== null && { link: `<${address.href}>; rel="next"` }),
      },
    };
  }
  return {
    status: 200,
    body: {
      data: shown.map((row) => viewOf(groups, row)),
      from: formatTime(fromMs),
      to: formatTime(toMs),
      as_of_position: formatPosition(asOf),
      next_cursor: next,
      next_after: next,
    },
  };
}

export const usageRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/usage",
    scope: "usage:read",
    summary: "Count what was sent, what became of it and what it cost",
    projection: "usage",
    query: Query,
    errors: ["invalid_request"],
    response: Usage,
    csv: true,
    handler: usage,
  }),
];
