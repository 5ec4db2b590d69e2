import { fault, type Raw } from "./columns.ts";
import { decoded } from "./decoded.ts";
import { FileBroken, type Found } from "./found.ts";

/** As many as a request that makes one contact may have. */
const maxLineCharacters = 128 * 1024;

/** What an export has besides what a contact is made of. */
const ofExports = new Set(["id", "created_at", "updated_at"]);

/** The records of a file with a JSON object in each line; empty lines are passed over. Throws FileBroken for a line without an end. */
export async function* jsonLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Found> {
  let [rest, line, row] = ["", 0, 0];
  const read = (text: string): Found[] => {
    line++;
    return text.trim() === "" ? [] : [{ row: ++row, line, ...parsed(text) }];
  };
  for await (const text of decoded(bytes)) {
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop()!;
    for (const each of lines) yield* read(each);
    if (rest.length > maxLineCharacters)
      throw new FileBroken(
        `Line ${line + 1}: A line has more than ${maxLineCharacters} characters.`,
      );
  }
  yield* read(rest);
}

function parsed(
  text: string,
): { readonly raw: Raw } | { readonly fault: ReturnType<typeof fault> } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: fault("", "malformed_json", "is not valid JSON") };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { fault: fault("", "invalid_type", "is not an object") };
  // An empty field says nothing, as an empty cell does.
  const entries = Object.entries(value).filter(
    ([key, each]) => each !== null && !ofExports.has(key),
  );
  const raw = Object.fromEntries(entries) as Raw;
  if (Array.isArray(raw.external_ids)) raw.external_ids = raw.external_ids.map(withoutTime);
  return { raw };
}

function withoutTime(id: unknown): unknown {
  if (typeof id !== "object" || id === null) return id;
  const { added_at: _, ...rest } = id as Record<string, unknown>;
  return rest;
}
