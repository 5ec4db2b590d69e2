import { once } from "node:events";
import type { ServerResponse } from "node:http";

/** Longer than any pause for which somebody would want the rest; then the reader's place, and its stream of the twenty, are free for another. */
const slowestMs = 60_000;
/** A reader that takes so much within that time goes on: what is under way can be told from what lies there only piece by piece. */
const pieceBytes = 65_536;

/**
 * Writes, and waits until the reader has taken enough of it. One that takes nothing for a minute is cut off, and not one that is slow: it connects again behind the last event that it read.
 * Throws then, and when the signal ends.
 */
export async function writeTo(
  response: ServerResponse,
  text: string,
  signal: AbortSignal,
  withinMs = slowestMs,
): Promise<void> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceBytes)
    if (!response.write(bytes.subarray(at, at + pieceBytes)))
      await taken(response, signal, withinMs);
}

async function taken(
  response: ServerResponse,
  signal: AbortSignal,
  withinMs: number,
): Promise<void> {
  const slow = new AbortController();
  const timer = setTimeout(() => slow.abort(new Error("the reader does not read")), withinMs);
  try {
    await once(response, "drain", { signal: AbortSignal.any([signal, slow.signal]) });
  } catch (error) {
    // Nothing more gets to it: an end would wait behind what it does not take.
    if (slow.signal.aborted) response.destroy();

    throw error;
  } finally {
    clearTimeout(timer);
  }
}
