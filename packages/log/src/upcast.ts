import type { RecordedEvent, Upcast } from "./types.ts";

/** Brings an event to its newest version; one that cannot be brought there becomes unreadable, and the rest goes on. */
export function upcastSafely(event: RecordedEvent, upcast: Upcast | undefined): RecordedEvent {
  if (upcast === undefined) return event;
  try {
    return upcast(event);
  } catch (error) {
    return unreadable(event, error);
  }
}

/** The form in which a damaged event is shown: version 0, with the reason, so that consumers set it aside. */
export function unreadable(
  event: Omit<RecordedEvent, "data" | "metadata">,
  error: unknown,
): RecordedEvent {
  return { ...event, version: 0, data: null, metadata: { unreadable: String(error) } };
}
