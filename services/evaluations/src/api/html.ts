import { parse } from "node:querystring";
import type { Answer, Call } from "@heliograph/api";
import { escapeHtml } from "@heliograph/domain";
import { z } from "zod";

/** A page for whoever came by a link. It has no script, loads nothing, is in no frame and no cache, and tells nobody its address. `body` is HTML. */
export const page = (status: number, title: string, body: string): Answer => ({
  status,
  body: `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>${escapeHtml(title)} · Heliograph</title></head><body><main>
<h1>${escapeHtml(title)}</h1>
${body}
</main></body></html>
`,
  headers: {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy":
      "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
  },
});

export const noLink = (): Answer =>
  page(404, "There is no such link", "<p>Open it again from the message that you got.</p>");

/** A form of a few fields. */
export const ofForms = {
  streams: ["application/x-www-form-urlencoded"],
  maxBodyBytes: 8_192,
} as const;

/** What a form sent, by the names of its fields; none is missing. */
export async function readForm(call: Call): Promise<(name: string) => string> {
  const chunks: Buffer[] = [];
  for await (const chunk of call.chunks()) chunks.push(chunk);
  const fields = parse(Buffer.concat(chunks).toString());
  return (name) => {
    const value = fields[name];
    return typeof value === "string" ? value.trim() : "";
  };
}

export const Page = z.string().meta({ description: "A page." });
export const also = {
  404: { description: "There is no such link.", response: Page },
  410: { description: "The link is used up.", response: Page },
} as const;
export const ofPages = {
  root: true,
  scope: "public",
  response: Page,
  contentType: "text/html",
  also,
  errors: ["log_unavailable"],
} as const;
