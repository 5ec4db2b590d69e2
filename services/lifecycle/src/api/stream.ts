import type { ServerResponse } from "node:http";
import { PublicError } from "@heliograph/contracts";
import { bodiesBehind, readLifecycle, type FeedFilter } from "../tables/lifecycle.ts";
import { type Call, type Answer, stillAllowed, streamed, whileAllowed } from "@heliograph/api";
import { rest } from "./resting.ts";
import { untilReached, waiterOf } from "./waiting.ts";
import { writeTo } from "./write-to.ts";

/** Proxies cut connections that are silent for 30 or 60 seconds. */
const heartbeatMs = 15_000;
const pageSize = 200;
/** So many events that a filter kept back are worth telling of, between signs of life. */
const passedOver = 1_000;
/** A stream holds a socket; a partner that needs more readers than this wants webhooks. */
const maxStreams = 20;

const open = new Map<string, number>();

/**
 * Writes the feed as server-sent events until the reader goes away, its key is revoked or the server stops. A reader that does not read
 * holds nothing but its socket's buffer, for a minute: no page is fetched before the last one was taken. Where a filter keeps events back, the id moves on without one (HTML, section 9.2.6), so
 * that a reader that connects again does not have them looked through again.
 */
export async function streamEvents(
  call: Call<unknown, unknown>,
  from: number,
  filter: FeedFilter,
): Promise<Answer> {
  const after = lastEventId(call) ?? from;
  await untilReached(call, after);
  const name = `${call.env} ${call.partner.partner_id}`;
  const streams = open.get(name) ?? 0;
  if (streams >= maxStreams)
    throw new PublicError("rate_limited", `A partner has at most ${maxStreams} event streams.`, {
      retryAfterSeconds: 5,
    });
  open.set(name, streams + 1);
  const { response } = call;
  const { socket } = call.request;
  // A client that asks once and closes its half still waits for an answer; a stream has no end to wait for, so there it has left.
  const left = new AbortController();
  const leave = (): void => left.abort();
  socket.once("end", leave);
  try {
    call.beginStream({
      "Content-Type": "text/event-stream; charset=utf-8",
      "X-Accel-Buffering": "no",
      // A proxy that packs answers holds small pieces back until there are enough of them.
      "Cache-Control": "no-store, no-transform",
    });
    if (call.request.method !== "HEAD")
      await whileAllowed(call, (signal) =>
        follow(call, response, after, filter, AbortSignal.any([signal, left.signal])),
      );
    response.end();
  } catch (error) {
    // The answer has begun: all that can be said now is that it ends. The reader connects again behind its last event.
    if (!call.signal.aborted)
      call.context.logger.debug({ err: error, request_id: call.requestId }, "event stream ended");
    response.end();
  } finally {
    socket.off("end", leave);
    const others = open.get(name)! - 1;
    if (others === 0) open.delete(name);
    else open.set(name, others);
  }
  return streamed;
}

async function follow(
  call: Call,
  response: ServerResponse,
  start: number,
  filter: FeedFilter,
  signal: AbortSignal,
): Promise<void> {
  const pool = call.deps.projectionPool;
  const partner = call.partner.partner_id;
  let after = start;
  /** What the reader goes on behind when it connects again. */
  let told = start;
  await writeTo(response, "retry: 1000\n\n", signal);
  while (!signal.aborted) {
    const [began, behind] = [performance.now(), after];
    const page = await readLifecycle(pool, { partner, after, limit: pageSize, ...filter });
    await stillAllowed(call);
    after = page.nextAfter;
    const workedMs = performance.now() - began;
    if (page.rows.length > 0) {
      const bodies = await call.deps.vault.openJson(partner, bodiesBehind(page.rows, told));
      const text = page.rows
        .map((row, index) => `id: ${row.sequence}\ndata: ${bodies[index]}\n\n`)
        .join("");
      told = page.rows.at(-1)!.sequence;
      await writeTo(response, text, signal);
    } else if (after - told >= passedOver) {
      told = after;
      await writeTo(response, `id: ${after}\n\n`, signal);
    } else if (after >= page.last) {
      const found = await waiterOf(pool).wait(partner, after, heartbeatMs, signal);
      if (found) continue;
      await writeTo(response, after > told ? `id: ${after}\n\n` : ": keep-alive\n\n", signal);
      told = after;
    }
    // More was kept back than given, and more is to come.
    if (after < page.last && after - behind > 2 * page.rows.length)
      await rest(call, workedMs, signal);
  }
}

/** What a reader that connects again has seen (HTML, section 9.2). */
function lastEventId(call: Call): number | undefined {
  const header = call.request.headers["last-event-id"];
  if (header === undefined || header === "") return undefined;
  if (!/^\d{1,15}$/.test(String(header)))
    throw new PublicError("invalid_request", "Last-Event-ID is not a sequence.", {
      errors: [
        { path: "Last-Event-ID", code: "invalid_format", message: "send the id of an event" },
      ],
    });
  return Number(header);
}
