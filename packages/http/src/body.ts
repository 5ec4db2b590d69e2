import type { IncomingMessage } from "node:http";
import { PublicError } from "@heliograph/contracts";

const empty = Buffer.alloc(0);

function tooLarge(maxBytes: number): PublicError {
  return new PublicError("body_too_large", `The body is larger than ${maxBytes} bytes.`);
}

/**
 * All bytes of the body. Throws `body_too_large` as soon as the declared or the received length exceeds `maxBytes`,
 * `request_timeout` when it has not arrived after `timeoutMs`, and `bad_request` when the client goes away.
 */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  timeoutMs: number,
): Promise<Buffer> {
  const declared = request.headers["content-length"];
  if (declared === undefined && request.headers["transfer-encoding"] === undefined)
    return Promise.resolve(empty);
  if (declared !== undefined && Number(declared) > maxBytes)
    return Promise.reject(tooLarge(maxBytes));
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] | undefined;
    let first: Buffer | undefined;
    let size = 0;
    // Most bodies are there by now, so the timer is made only when one is not complete in this turn of the loop.
    let timer: NodeJS.Timeout | undefined;
    let settled = false;
    const waiting = setImmediate(() => {
      if (!settled)
        timer = setTimeout(() => {
          finish();
          reject(
            new PublicError(
              "request_timeout",
              `The body did not arrive within ${timeoutMs / 1000} seconds.`,
            ),
          );
        }, timeoutMs);
    });
    const finish = (): void => {
      settled = true;
      clearImmediate(waiting);
      clearTimeout(timer);
      request.off("data", onData);
      request.off("end", onEnd);
      request.off("error", onGone);
      request.off("close", onGone);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > maxBytes) {
        finish();
        request.pause();
        reject(tooLarge(maxBytes));
      } else if (first === undefined) first = chunk;
      else (chunks ??= [first]).push(chunk);
    };
    const onEnd = (): void => {
      finish();
      resolve(chunks === undefined ? (first ?? empty) : Buffer.concat(chunks, size));
    };
    const onGone = (): void => {
      finish();
      reject(new PublicError("bad_request", "The body ended early."));
    };
    request.on("data", onData);
    request.on("end", onEnd);
    request.on("error", onGone);
    request.on("close", onGone);
  });
}

const jsonType = /^application\/(?:[\w.!#$&^-]+\+)?json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/** Throws `unsupported_media_type` unless the body is declared as JSON in UTF-8 without a content coding. */
export function requireJson(request: IncomingMessage): void {
  const type = request.headers["content-type"];
  if (type !== "application/json" && (type === undefined || !jsonType.test(type)))
    throw new PublicError("unsupported_media_type", "Send the body as application/json in UTF-8.");
  const coding = request.headers["content-encoding"];
  if (coding !== undefined && coding !== "identity")
    throw new PublicError("unsupported_media_type", "Send the body without Content-Encoding.");
}
