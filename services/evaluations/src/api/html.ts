import type { Answer, Call } from "@heliograph/api";
import {
  html,
  page as document,
  pageHeaders,
  readForm,
  type Form,
  type Html,
} from "@heliograph/html";
import { z } from "zod";

/** The API says `nosniff` with every answer. */
const { "X-Content-Type-Options": _, ...headers } = pageHeaders({
  loads: [],
  referrer: "no-referrer",
});

/** A page for whoever came by a link. It has no script, loads nothing, is in no frame and no cache, and tells nobody its address. */
export const page = (status: number, title: string, body: Html): Answer => ({
  status,
  body: document({
    title: `${title} · Heliograph`,
    styles: [],
    head: html`<meta name="robots" content="noindex">`,
    body: html`<body><main>
<h1>${title}</h1>
${body}
</main></body>`,
  }),
  headers: { ...headers, "content-type": "text/html; charset=utf-8" },
});

export const noLink = (): Answer =>
  page(404, "There is no such link", html`<p>Open it again from the message that you got.</p>`);

/** Of a form of a few fields. */
const maxBytes = 8_192;
export const ofForms = {
  streams: ["application/x-www-form-urlencoded"],
  maxBodyBytes: maxBytes,
} as const;

/** What a form sent. Its type and its size the route has looked at. */
export async function formOf(call: Call): Promise<Form> {
  const form = await readForm(call.request.headers["content-type"], call.chunks(), { maxBytes });
  if (typeof form === "string") throw new Error(`the form of ${call.routeName} is ${form}`);
  return form;
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
