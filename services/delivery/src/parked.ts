import { lazyWindow, type Checkpoint, type WritePart } from "@heliograph/runtime";
import { type Waiting, writeParked } from "./store.ts";

/** Receipts that match nothing are given up after a week: e-mail servers report for five days at most (RFC 5321, 4.5.4.1). */
const keepMs = 7 * 24 * 3_600_000;
/** About 10 MB. Beyond it further receipts are only kept in the log. */
export const maxParked = 100_000;
/** The durable commit of the checkpoint, 1 to 2 ms on a disk, is shared under load by the batches of this time; after a crash they are looked at again, and what they led to is a duplicate. */
const commitEveryMs = 100;
const purgeEveryMs = 600_000;

export type Parked = {
  has(messageId: string): boolean;
  /** False when there is no room. */
  add(messageId: string, partner: string | undefined, nowMs: number): boolean;
  remove(messageId: string): void;
  /** Everything up to this position is dealt with. */
  reached(position: bigint): void;
  /** Commits the position with the changes made before it, in one statement. */
  flush(): Promise<void>;
};

/** The set of messages whose receipts wait, and the checkpoint that its changes are committed with. */
export function openParked(
  waiting: Map<string, Waiting>,
  checkpoint: Checkpoint,
  fail: (error: unknown) => void,
  most = maxParked,
): Parked {
  let changes = new Map<string, Waiting | undefined>();
  /** Changes of the batch in hand. Until it is dealt with they must not be stored: after a crash it is looked at again and finds what it found now. */
  let unfinished = new Map<string, Waiting | undefined>();
  let position = checkpoint.position;
  const window = lazyWindow({
    checkpoint,
    fail,
    busyMs: commitEveryMs,
    position: () => position,
    rows: { wait: () => changes.size > 0, take },
  });
  let purgedAtMs = 0;

  function remove(messageId: string): void {
    if (waiting.delete(messageId)) unfinished.set(messageId, undefined);
  }

  /** The map is in the order of arrival, which is that of expiry. */
  function purge(nowMs: number): void {
    if (nowMs - purgedAtMs < purgeEveryMs) return;
    purgedAtMs = nowMs;
    for (const [messageId, { expiresAt }] of waiting) {
      if (expiresAt > nowMs) break;
      remove(messageId);
    }
  }

  function take(): readonly WritePart[] {
    const taken = changes;
    changes = new Map();
    return writeParked(taken);
  }

  return {
    has: (messageId) => waiting.has(messageId),
    add(messageId, partner, nowMs) {
      purge(nowMs);
      if (waiting.has(messageId)) return true;
      if (waiting.size >= most) return false;
      const until = { expiresAt: nowMs + keepMs, partner };
      waiting.set(messageId, until);
      unfinished.set(messageId, until);
      return true;
    },
    remove,
    reached(reachedPosition) {
      if (reachedPosition > position) position = reachedPosition;
      for (const [messageId, change] of unfinished) changes.set(messageId, change);
      unfinished = new Map();
      window.reached();
    },
    flush: () => window.flush(),
  };
}
