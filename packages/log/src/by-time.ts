import type { EventLog, Position, RecordedEvent } from "./types.ts";

/** The first event behind a position. */
export const firstBehind = async (
  log: EventLog,
  after: Position,
): Promise<RecordedEvent | undefined> => (await log.readAll({ after, limit: 1 })).events[0];

/**
 * The last position that was written before a time, epoch ms. It takes a read for each halving of the log. Times are those of the database's clock, as it was: where that was set back, a stretch of
 * times is there twice, and for one of them it is a position from before or after, with an earlier event at it and a later one behind it. All other times are found as if it had not been.
 */
export async function positionBefore(log: EventLog, timeMs: number): Promise<Position> {
  let low = 0n;
  let high = await log.head();
  while (low < high) {
    const middle = (low + high) / 2n;
    const event = await firstBehind(log, middle);
    if (event === undefined || event.recordedAt >= timeMs) high = middle;
    else low = event.position;
  }
  return low;
}
