import type { IncomingMessage } from "node:http";
import { PublicError } from "@heliograph/contracts";
import type { BodyHold } from "./body-budget.ts";

const empty = Buffer.alloc(0);

function tooLarge(maxBytes: number): PublicError {
  return new PublicError("body_too_large", `The body is larger than ${maxBytes} bytes.`);
}

/**
 * All bytes of the body. Rejects with `body_too_large` as soon as the declared or the received length exceeds `maxBytes`, with
 * `bad_request` when the client goes away, and with what `hold` throws, before anything is read where the length is declared. A body
 * that comes too slowly ends by the server's `requestTimeout`: a timer for each request would cost more than reading it.
 */
export async function readBody(
  request: IncomingMessage,
  maxBytes: number,
  hold: Pick<BodyHold, "grow">,
): Promise<Buffer> {
  const declared = request.headers["content-length"];
  if (declared === undefined && request.headers["transfer-encoding"] === undefined) return empty;
  if (declared !== undefined) {
    if (Number(declared) > maxBytes) throw tooLarge(maxBytes);
    hold.grow(Number(declared));
  }
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] | undefined;
    let first: Buffer | undefined;
    let size = 0;
    const refuse = (error: unknown): void => {
      request.pause();
      reject(error as Error);
    };
    // Listeners stay: the request is garbage soon, and settling a promise twice does nothing.
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) return refuse(tooLarge(maxBytes));
      if (declared === undefined)
        try {
          hold.grow(chunk.length);
        } catch (error) {
          return refuse(error);
        }
      if (first === undefined) first = chunk;
      else (chunks ??= [first]).push(chunk);
    });
    request.on("end", () =>
      resolve(chunks === undefined ? (first ?? empty) : Buffer.concat(chunks, size)),
    );
    const onGone = (): void => {
      if (!request.complete) reject(new PublicError("bad_request", "The body ended early."));
    };
    request.on("error", onGone);
    request.on("close", onGone);
  });
}

/** Throws `body_too_large` where the declared length says so. */
export function requireLength(request: IncomingMessage, maxBytes: number): void {
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw tooLarge(maxBytes);
}

/** Connections whose body may take longer than the server's `requestTimeout`, and is timed by itself. */
const patient = new WeakSet<object>();
export const isPatient = (socket: object): boolean => patient.has(socket);

/**
 * The body as it comes. Throws `body_too_large` as soon as the received length exceeds `maxBytes`, `bad_request` when the client goes away, and with `maxMs`, which
 * then holds in the place of the server's `requestTimeout`, `request_timeout`. A reader that stops leaves the connection usable for the answer.
 */
export async function* bodyChunks(
  request: IncomingMessage,
  maxBytes: number,
  maxMs?: number,
): AsyncGenerator<Buffer, void> {
  let size = 0;
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  const deadline = maxMs === undefined ? undefined : bodyDeadline(request, maxMs);
  try {
    for (;;) {
      const reading = chunks.next().catch((cause: unknown) => {
        throw new PublicError("bad_request", "The body ended early.", { cause });
      });
      const next = await (deadline === undefined
        ? reading
        : Promise.race([reading, deadline.passed]));
      if (next.done === true) return;
      size += next.value.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      yield next.value;
    }
  } finally {
    deadline?.end();
    // What is left can be drained only once nobody reads; a read that still waits would keep this one waiting too.
    if (deadline?.isPassed() !== true) await chunks.return?.();
  }
}

/** `passed` rejects when the body takes too long. */
function bodyDeadline(request: IncomingMessage, maxMs: number) {
  const { socket } = request;
  patient.add(socket);
  let late = false;
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      late = true;
      reject(new PublicError("request_timeout", `The body took more than ${maxMs / 1000} s.`));
    }, maxMs);
  });
  // Nobody waits for it between two pieces.
  passed.catch(() => undefined);
  return {
    passed,
    isPassed: () => late,
    end: () => {
      clearTimeout(timer);
      patient.delete(socket);
    },
  };
}

/** Throws `unsupported_media_type` unless the body is declared as one of the types; `*\/*` takes any, also none. */
export function requireType(request: IncomingMessage, types: readonly string[]): void {
  const type = (request.headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase();
  if (!types.includes("*/*") && !types.includes(type))
    throw new PublicError("unsupported_media_type", `Send the body as ${types.join(" or ")}.`);
  requireNoCoding(request);
}

/**
 * Reads and drops what is left of a refused body, so that a client that writes all before it reads sees the answer and not a reset
 * connection. True when the body ended; false when it is longer than `maxBytes` or slower than `timeoutMs`: then the connection must end.
 */
export function drain(
  request: IncomingMessage,
  maxBytes: number,
  timeoutMs: number,
): Promise<boolean> {
  if (request.complete) return Promise.resolve(true);
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > maxBytes || request.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    let size = 0;
    const settle = (ended: boolean): void => {
      clearTimeout(timer);
      resolve(ended);
    };
    const timer = setTimeout(() => settle(false), timeoutMs);
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) settle(false);
    });
    request.once("end", () => settle(true));
    request.once("error", () => settle(false));
    request.once("close", () => settle(request.complete));
    request.resume();
  });
}

const jsonType = /^application\/(?:[\w.!#$&^-]+\+)?json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/** Throws `unsupported_media_type` unless the body is declared as JSON in UTF-8 without a content coding. */
export function requireJson(request: IncomingMessage): void {
  const type = request.headers["content-type"];
  if (type !== "application/json" && (type === undefined || !jsonType.test(type)))
    throw new PublicError("unsupported_media_type", "Send the body as application/json in UTF-8.");
  requireNoCoding(request);
}

function requireNoCoding(request: IncomingMessage): void {
  const coding = request.headers["content-encoding"];
  if (coding !== undefined && coding !== "identity")
    throw new PublicError("unsupported_media_type", "Send the body without Content-Encoding.");
}
