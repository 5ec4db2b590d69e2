import type { EventLog } from "@heliograph/log";
import { notValid } from "./validate.ts";

/** So many events of one thing a call folds for itself: some twenty reads of the log, and a tenth of a second of this process. Nothing is remembered of it, so each call does it anew. */
export const mostFolded = 10_000;

/** The events as they come. Throws `invalid_request` for what was asked in `path` after `mostFolded` of them. */
export async function* foldedAtMost<Event>(
  events: Iterable<Event> | AsyncIterable<Event>,
  path: "field" | "as_of",
): AsyncGenerator<Event> {
  let count = 0;
  for await (const event of events) {
    count++;
    if (count > mostFolded)
      throw notValid("query", [
        {
          path,
          code: "too_many_events",
          message: `would take more than ${mostFolded} events to answer; \`as_of\` an earlier position or time takes fewer`,
        },
      ]);
    yield event;
  }
}

/** The same log, of which a stream is read so far. */
export const scannedAtMost = (log: EventLog): EventLog => ({
  ...log,
  scanStream: (stream, options) => foldedAtMost(log.scanStream(stream, options), "as_of"),
});
