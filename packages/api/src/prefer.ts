/** Preferences of a list, split at the commas that stand outside quotes. */
const parts = /(?:"(?:[^"\\]|\\.)*"|[^",])+/g;
const preference = /^\s*([^\s=;"]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s;"]*))?\s*(?:;|$)/;

/** The seconds of `Prefer: wait=N` (RFC 7240), at most `most`; 0 when there are none. Names are compared without case, and the first instance counts. */
export function waitSeconds(header: string | undefined, most: number): number {
  for (const part of header?.match(parts) ?? []) {
    const [, name = "", value = ""] = preference.exec(part) ?? [];
    if (name.toLowerCase() !== "wait") continue;
    const text = value.startsWith('"') ? value.slice(1, -1) : value;
    return /^\d+$/.test(text) ? Math.min(Number(text), most) : 0;
  }
  return 0;
}
