import type { RecordedEvent } from "../types.ts";

/** One event as one line: equal lines mean equal events, whatever order a driver keeps the keys of JSON in. */
export function canonicalEvent(event: RecordedEvent): string {
  const { position, stream, revision, id, type, version, recordedAt } = event;
  const head = JSON.stringify([`${position}`, stream, revision, id, type, version, recordedAt]);
  return `${head}\t${canonicalJson(event.data)}\t${canonicalJson(event.metadata)}`;
}

/** The JSON text with keys in order and without spaces. */
function canonicalJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const fields = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(fields).toSorted();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalJson(fields[key])}`).join(",")}}`;
}
