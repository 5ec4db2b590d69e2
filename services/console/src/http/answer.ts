import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pageHeaders } from "@heliograph/html";
import type { Response } from "express";

const common = {
  ...pageHeaders({ loads: ["style", "script", "img", "connect"], referrer: "same-origin" }),
  "X-Robots-Tag": "noindex",
};

/** Of a stream of server-sent events: nothing on the way keeps it back or packs it. */
export const streamHead = {
  ...common,
  "Cache-Control": "no-store, no-transform",
  "Content-Type": "text/event-stream; charset=utf-8",
  "X-Accel-Buffering": "no",
};

type Headers = Readonly<Record<string, string>>;

/** A page of somebody: no cache keeps it, and Back after a sign-out shows nothing. */
export function sendPage(response: Response, status: number, text: string, headers: Headers = {}) {
  const body = Buffer.from(text);
  response
    .writeHead(status, {
      ...common,
      "Cache-Control": "no-store",
      "Content-Type": "text/html; charset=utf-8",
      "Content-Length": body.length,
      ...headers,
    })
    .end(response.req.method === "HEAD" ? undefined : body);
}

export function redirect(response: Response, status: 303 | 308, to: string, headers: Headers = {}) {
  const sent = { "Cache-Control": "no-store", Location: to, "Content-Length": 0, ...headers };
  response.writeHead(status, { ...common, ...sent }).end();
}

/** Addresses of assets hold their hash: they may be kept for ever. */
export function sendAsset(response: Response, type: string, body: Buffer) {
  response
    .writeHead(200, {
      ...common,
      "Cache-Control": "public, max-age=31536000, immutable",
      "Content-Type": type,
      "Content-Length": body.length,
    })
    .end(response.req.method === "HEAD" ? undefined : body);
}

/** Hands on a file of the platform as it comes. A connection that breaks on either side breaks on the other too, so that half a file is not taken for a whole one. */
export async function sendFile(response: Response, file: globalThis.Response): Promise<void> {
  const given = (name: string, otherwise: string): string => file.headers.get(name) ?? otherwise;
  response.writeHead(200, {
    ...common,
    "Cache-Control": "no-store",
    "Content-Type": given("content-type", "application/octet-stream"),
    "Content-Disposition": given("content-disposition", "attachment"),
  });
  if (file.body === null || response.req.method === "HEAD") {
    response.end();
    await file.body?.cancel();
    return;
  }
  await pipeline(Readable.fromWeb(file.body), response).catch(() => response.destroy());
}
