import type { Response } from "express";
import { formatPosition } from "@heliograph/log";
import type { Answer } from "./route.ts";

/** An answer as it goes over the wire; what an idempotent replay repeats. `headers` is flat: name, value, name, value. */
export type Wire = {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string | Uint8Array | undefined;
};

/** Serialises an answer. JSON unless the handler named another content type. */
export function toWire(answer: Answer): Wire {
  const headers: string[] = [];
  let body: string | Uint8Array | undefined;
  if (
    typeof answer.body === "string" ||
    answer.body instanceof Uint8Array ||
    answer.body === undefined
  )
    body = answer.body;
  else {
    body = JSON.stringify(answer.body);
    if (answer.headers?.["content-type"] === undefined)
      headers.push("Content-Type", "application/json");
  }
  if (answer.headers !== undefined)
    for (const name in answer.headers) headers.push(name, answer.headers[name]!);
  if (answer.etag !== undefined) headers.push("ETag", answer.etag);
  if (answer.position !== undefined) headers.push("Log-Position", formatPosition(answer.position));
  return { status: answer.status, headers, body };
}

/** Writes head and body in one go. `headers` (rate limit, request id) come first, and are the answer's from here on. */
export function send(response: Response, wire: Wire, headers: string[], head: boolean): void {
  const { status, body } = wire;
  headers.push(...wire.headers);
  if (body === undefined) {
    // 204 and 304 end with their head (RFC 9110 §8.6).
    if (status !== 204 && status !== 304) headers.push("Content-Length", "0");
  } else
    headers.push(
      "Content-Length",
      String(typeof body === "string" ? Buffer.byteLength(body) : body.length),
    );
  response.writeHead(status, headers);
  if (head || body === undefined) response.end();
  else response.end(body);
}
