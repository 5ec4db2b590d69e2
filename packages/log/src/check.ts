import type { Append, Validate } from "./types.ts";

/** Stream and type names are index keys: at most 255 characters keeps a row below a B-tree's 2,704 bytes. */
export const MAX_NAME_CHARACTERS = 255;
/** One event's JSON. Larger content belongs in an object store with a reference in the event. */
export const MAX_EVENT_BYTES = 1_048_576;
/** One append is one flush at most, so it is bounded like one. */
export const MAX_EVENTS_PER_APPEND = 1_000;
/** An append is one statement and one link of the hash chain, which whoever verifies it has in memory. */
export const MAX_APPEND_BYTES = 16 * 1_048_576;

// Control characters are refused: names travel joined by line feeds, and PostgreSQL has no NUL in text.
// oxlint-disable-next-line no-control-regex -- that is what it is for
const NAME = /^[^\u0000-\u001f\u007f]+$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** An event's two JSON texts, made once: they are stored, sized and compared in this form. */
export type Encoded = { readonly data: string; readonly metadata: string };

/** Says why an append can never be stored, or gives the JSON texts of its events. */
export function encodeAppend(append: Append, validate?: Validate): string | Encoded[] {
  const { stream, expected, events } = append;
  if (stream.length > MAX_NAME_CHARACTERS || !NAME.test(stream)) {
    return `stream name must be 1 to ${MAX_NAME_CHARACTERS} characters without control characters`;
  }
  if (typeof expected === "number" && !(Number.isInteger(expected) && expected >= -1)) {
    return "expected must be a revision, no_stream or any";
  }
  if (events.length === 0) return "an append needs at least one event";
  if (events.length > MAX_EVENTS_PER_APPEND) {
    return `an append takes at most ${MAX_EVENTS_PER_APPEND} events`;
  }
  const encoded: Encoded[] = [];
  let bytes = 0;
  for (const event of events) {
    if (!UUID.test(event.id)) return "event id must be a lower-case UUID";
    if (event.type.length > MAX_NAME_CHARACTERS || !NAME.test(event.type)) {
      return `event type must be 1 to ${MAX_NAME_CHARACTERS} characters without control characters`;
    }
    const version = event.version ?? 1;
    if (!(Number.isInteger(version) && version >= 1 && version <= 32_767)) {
      return "event version must be an integer from 1 to 32767";
    }
    const problem = validate?.(event);
    if (problem !== undefined) return problem;
    try {
      const data = JSON.stringify(event.data);
      const metadata = JSON.stringify(event.metadata);
      // Lengths count UTF-16 units: exact for ASCII, at most a third of the bytes otherwise.
      if (data.length + metadata.length > MAX_EVENT_BYTES) {
        return `event is larger than ${MAX_EVENT_BYTES} bytes`;
      }
      bytes += data.length + metadata.length;
      if (bytes > MAX_APPEND_BYTES) return `append is larger than ${MAX_APPEND_BYTES} bytes`;
      encoded.push({ data, metadata });
    } catch (error) {
      return `event is not JSON: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  return encoded;
}

/** `no_stream` is revision -1 and `any` is -2: one number for drivers to compare. */
export function expectedRevision(expected: Append["expected"]): number {
  return expected === "no_stream" ? -1 : expected === "any" ? -2 : expected;
}
