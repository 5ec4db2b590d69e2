import { environments } from "@heliograph/contracts";
import { escapeHtml } from "@heliograph/domain";
import { errorsPath, type Call, type Answer, type Route, route } from "@heliograph/api";
import { type ProjectionView, readProjections } from "../projections.ts";

/** One page shows everything and holds nothing secret: no partner, no message, no key. */
async function page(call: Call<undefined, undefined>): Promise<Answer> {
  const { context } = call;
  const sections = await Promise.all(
    environments.map(async (environment) => {
      const rows = await readProjections(environment, context.environments[environment]);
      const gateways = context.directory.gateways(environment);
      return `<h2>${environment}</h2>
<p>Gateways: ${
        gateways
          .filter(({ enabled }) => enabled)
          .map(({ name, channel }) => escapeHtml(`${name} (${channel})`))
          .join(", ") || "none"
      }</p>
<table><thead><tr><th>Consumer<th>Kind<th>Status<th>Position<th>Behind<th>Events/s<th>Trouble</thead>
<tbody>${rows.map(rowOf).join("") || "<tr><td colspan=7>No consumer has run here yet."}</tbody></table>`;
    }),
  );
  const ready = !context.stopping.aborted && (context.ready?.() ?? true);
  return {
    status: 200,
    body: htmlOf(
      `<p>This process is ${ready ? "ready" : "not ready"}.</p>\n${sections.join("\n")}`,
    ),
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy":
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      "referrer-policy": "no-referrer",
    },
  };
}

const cell = (value: string | number): string => `<td>${escapeHtml(String(value))}`;

const rowOf = (row: ProjectionView): string =>
  `<tr>${cell(row.name)}${cell(row.kind)}${cell(row.status)}${cell(row.position)}${cell(
    row.lag_events === 0 ? "nothing" : `${row.lag_events} events, ${Math.round(row.lag_ms)} ms`,
  )}${cell(row.rate)}${cell(row.last_error === undefined ? "" : "last error: see GET /admin/projections")}`;

const htmlOf = (body: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Heliograph</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color-scheme: light dark; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8884; }
td { font-variant-numeric: tabular-nums; }
</style></head><body>
<h1>Heliograph</h1>
${body}
<p><a href="/api/v1/openapi.json">OpenAPI document</a> · <a href="/metrics">Metrics</a> · <a href="${errorsPath}">Error reference</a> ·
guides and operating notes are in the folder <code>docs</code> of the repository.</p>
</body></html>
`;

export const consoleRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/console",
    root: true,
    scope: "public",
    summary: "A status page for people",
    response: undefined,
    contentType: "text/html",
    status: 200,
    errors: [],
    handler: page,
  }),
];
