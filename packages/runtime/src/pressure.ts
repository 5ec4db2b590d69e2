import type { EventLog } from "@heliograph/log";
import { pause } from "./faults.ts";
import type { ConsumerStatus } from "./status.ts";

/** Events that consumers may be behind before accepts are slowed: some 600 messages, a few hundred milliseconds of work on one machine. */
const easyEvents = 4_000;
/** From here on an accept waits for the longest time. */
const hardEvents = 20_000;
const longestWaitMs = 500;
/** The same for whoever sends more than the others do: what waits before a message of theirs is some 150 of his. */
const easyEarly = 1_000;
const hardEarly = 4_000;

const standingStillMs = 5_000;

/** How many events the slowest consumer that runs in this process is behind; a shard is behind its own last event. */
export function backlogOf(
  log: Pick<EventLog, "span">,
  statuses: readonly ConsumerStatus[],
  now: number,
): number {
  let head = 0n;
  let slowest: bigint | undefined;
  let backlog = 0;
  for (const status of statuses) {
    // One that stands still is for the watchdog: waiting for it would make its trouble everybody's. One that rests would be done if it had wanted to.
    if (
      status.state !== "running" ||
      performance.now() < status.restsUntil ||
      (status.behindSince !== undefined && now - status.behindSince > standingStillMs)
    )
      continue;
    if (status.sharded) {
      backlog = Math.max(backlog, log.span(status.position, status.head));
      continue;
    }
    if (status.head > head) head = status.head;
    if (slowest === undefined || status.position < slowest) slowest = status.position;
  }
  return slowest === undefined ? backlog : Math.max(backlog, log.span(slowest, head));
}

/**
 * Back-pressure: resolves at once while the consumers keep up, later the further they are behind. A machine that accepts faster than it can send
 * would only store a queue whose end is late; slowed accepts keep the lag bounded and the throughput the same.
 */
export function easePressure(
  log: Pick<EventLog, "span">,
  statuses: readonly ConsumerStatus[],
  early = false,
): Promise<void> | undefined {
  const backlog = backlogOf(log, statuses, Date.now());
  const [easy, hard] = early ? [easyEarly, hardEarly] : [easyEvents, hardEvents];
  if (backlog <= easy) return undefined;
  return pause(Math.min(1, (backlog - easy) / (hard - easy)) * longestWaitMs);
}
