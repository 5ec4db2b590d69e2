import { asRecorded, type RecordedEvent, type StoredEvent, type Upcast } from "./types.ts";

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
  event: Omit<StoredEvent, "data" | "metadata">,
  error: unknown,
): RecordedEvent {
  const metadata = { unreadable: String(error) };
  return asRecorded({ ...event, version: 0, data: null, metadata });
}
