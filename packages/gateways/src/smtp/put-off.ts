import type { Gateway } from "../types.ts";

/** Messages that a server asked to bring again; the oldest is forgotten. */
const maxPutOff = 10_000;
const laterCodes: ReadonlySet<string> = new Set(["greylisted", "recipient_deferred"]);

/**
 * Sends a mail that was put off by the names of the attempt that was the first. A server that greylists wants to see the same sender come back (RFC 6647 §2.1), and of a mail that it did not take nothing else has those
 * names. In memory alone: after a restart a mail is once more a stranger's.
 */
export function underOneName(send: Gateway["send"]): Gateway["send"] {
  const first = new Map<string, number>();
  return async (attempt, signal) => {
    const { messageId } = attempt;
    const named = first.get(messageId) ?? attempt.attempt;
    const result = await send({ ...attempt, attempt: named }, signal);
    first.delete(messageId);
    if (result.type !== "rejected" || !laterCodes.has(result.error.code)) return result;
    first.set(messageId, named);
    if (first.size > maxPutOff) first.delete(first.keys().next().value!);
    return result;
  };
}
