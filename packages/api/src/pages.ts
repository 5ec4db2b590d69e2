import { type ErrorCode, PublicError, errorCatalogue, errorNotes } from "@heliograph/contracts";
import type { Call } from "./call.ts";
import { errorsPath } from "./problem.ts";
import { type Answer, type Route, route } from "./route.ts";

const escaped: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};
const escape = (text: string): string => text.replaceAll(/[&<>"]/g, (found) => escaped[found]!);
const prose = (text: string): string => escape(text).replaceAll(/`([^`]+)`/g, "<code>$1</code>");

const html = (title: string, body: string): Answer => ({
  status: 200,
  body: `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(title)} · Heliograph</title></head><body><main>
<h1>${escape(title)}</h1>
${body}
</main></body></html>
`,
  headers: {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
  },
});

const home = (): Answer =>
  html(
    "Heliograph",
    `<p>Messages by SMS, WhatsApp and e-mail over one REST API, under <code>/api/v1</code>.</p>
<ul>
<li><a href="/api/v1/openapi.json">The API as an OpenAPI document</a></li>
<li><a href="${errorsPath}">Errors and what to do about them</a></li>
<li><a href="/console">State of this installation</a></li>
</ul>`,
  );

const codes = Object.keys(errorCatalogue) as ErrorCode[];
const isCode = (text: string): text is ErrorCode => Object.hasOwn(errorCatalogue, text);

const errorList = (): Answer =>
  html(
    "Errors",
    `<ul>\n${codes.map((code) => `<li><a href="${errorsPath}/${code}"><code>${code}</code></a> ${escape(errorCatalogue[code].title)}</li>`).join("\n")}\n</ul>`,
  );

function errorPage(call: Call): Answer {
  const code = call.params["code"]!;
  if (!isCode(code)) throw new PublicError("not_found", "There is no such error.");
  const { status, title } = errorCatalogue[code];
  return html(
    title,
    `<p><code>${code}</code>, HTTP status ${status}.</p>
<p>${prose(errorNotes[code])}</p>
<p><a href="${errorsPath}">All errors</a></p>`,
  );
}

const page = {
  method: "GET",
  root: true,
  scope: "public",
  response: undefined,
  contentType: "text/html",
  status: 200,
} as const;

/** Plain pages for people who follow a link of an answer, or open the address by itself. */
export const pageRoutes: readonly Route[] = [
  route({ ...page, path: "/", summary: "What this is", errors: [], handler: home }),
  route({ ...page, path: errorsPath, summary: "Every error", errors: [], handler: errorList }),
  route({
    ...page,
    path: `${errorsPath}/:code`,
    summary: "What an error means and what to do about it",
    errors: ["not_found"],
    handler: errorPage,
  }),
];
