import { hash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { securityHeaders, transportSecurity } from "./headers.ts";
import type { Origins } from "./entry.ts";

/** What is sent, ready to be written. */
export type Ready = { readonly body: Buffer; readonly headers: Readonly<Record<string, string>> };

/** `cache`: how long others may keep it; undefined: nobody does, and it has no tag. */
export function ready(type: string, text: string | Buffer, cache: string | undefined): Ready {
  const body = typeof text === "string" ? Buffer.from(text) : text;
  return {
    body,
    headers: {
      ...securityHeaders,
      "Content-Type": type,
      "Content-Length": String(body.length),
      "Cache-Control": cache ?? "no-store",
      ...(cache !== undefined && { ETag: `"${hash("sha256", body).slice(0, 20)}"` }),
    },
  };
}

/** RFC 9110, section 13.1.2: a list of tags, weak ones too, or whatever there is. */
const isKnown = (request: IncomingMessage, etag: string | undefined): boolean => {
  const given = request.headers["if-none-match"];
  if (given === undefined || etag === undefined) return false;
  return given.split(",").some((each) => ["*", etag].includes(each.trim().replace(/^W\//, "")));
};

/** Only the canonical host is for search engines. `Host` decides that and nothing else: no link ever repeats it. */
const hostHeaders = (request: IncomingMessage, { site }: Origins): Record<string, string> => ({
  ...(request.headers.host?.toLowerCase() !== new URL(site).host && { "X-Robots-Tag": "noindex" }),
  ...(site.startsWith("https:") && { "Strict-Transport-Security": transportSecurity }),
});

export function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  { body, headers }: Ready,
  origins: Origins,
): void {
  const all = { ...headers, ...hostHeaders(request, origins) };
  if (status === 200 && isKnown(request, headers["ETag"])) {
    const { "Content-Length": _, ...rest } = all;
    response.writeHead(304, rest).end();
    return;
  }
  response.writeHead(status, all).end(request.method === "HEAD" ? undefined : body);
}

export function redirect(
  request: IncomingMessage,
  response: ServerResponse,
  status: 303 | 308,
  to: string,
  origins: Origins,
): void {
  response
    .writeHead(status, {
      ...securityHeaders,
      ...hostHeaders(request, origins),
      Location: to,
      "Content-Length": "0",
      ...(status === 303 && { "Cache-Control": "no-store" }),
    })
    .end();
}
