import { notValid, validate } from "@heliograph/api";
import { type FieldError, PublicError } from "@heliograph/contracts";
import { ContactInput } from "../fields.ts";
import { plainNumber } from "../spelling.ts";
import { type RowFault, fault } from "./columns.ts";
import { csvRecords, readCsvHead } from "./csv.ts";
import type { Found } from "./found.ts";
import { jsonLines } from "./ndjson.ts";

export const formats = ["csv", "ndjson"] as const;
export type Format = (typeof formats)[number];

/** A row that can be applied, or what is wrong with it. */
export type ImportRow = {
  readonly row: number;
  readonly line: number;
} & ({ readonly input: ContactInput } | { readonly fault: RowFault });

/** Why a file that begins like this is refused as a whole; undefined when it is not. `bytes` is its beginning. */
export function refusalOf(format: Format, bytes: Buffer): PublicError | undefined {
  const refuse = (code: string, message: string): PublicError =>
    notValid("body", [{ path: "", code, message }]);
  if (bytes.length === 0) return refuse("required", "The file is empty.");
  if (format === "ndjson") return undefined;
  const head = readCsvHead(bytes);
  return "refusal" in head ? refuse("invalid_head", head.refusal) : undefined;
}

/** The rows of a file, in their order. Throws FileBroken. */
export async function* readRows(
  format: Format,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<ImportRow> {
  const records = format === "csv" ? csvRecords(bytes) : jsonLines(bytes);
  for await (const found of records) yield checked(found);
}

/** What stands for bytes that are no UTF-8: whoever imports it would lose what it was. */
const unreadable = "\ufffd";

function checked(found: Found): ImportRow {
  const { row, line } = found;
  if ("fault" in found) return found;
  const { raw } = found;
  const text = JSON.stringify(raw);
  if (text.includes(unreadable))
    return { row, line, fault: fault("", "invalid_encoding", "is not UTF-8") };
  if (text.includes("\\u0000"))
    return { row, line, fault: fault("", "invalid_value", "has a NUL character") };
  // Requests refuse this name too. Schemas pass over it, and its value would be lost without a word. In a value its quotes are escaped.
  if (text.includes('"__proto__":'))
    return { row, line, fault: fault("", "invalid_value", "has a field that is called __proto__") };
  let input: ContactInput;
  try {
    input = validate(ContactInput, raw, "body");
  } catch (error) {
    if (!(error instanceof PublicError)) throw error;
    return { row, line, fault: faultOf(error) };
  }
  if (Object.values(input).every((value) => value === undefined))
    return { row, line, fault: fault("", "required", "has nothing in it") };
  const external_ids = input.external_ids?.map(({ source, id }) => ({
    source,
    id: plainNumber(source, id),
  }));
  return { row, line, input: { ...input, ...(external_ids && { external_ids }) } };
}

/** A refusal of the rules that requests go through, as it stands in the file of errors. */
export function faultOf(error: PublicError): RowFault {
  const [first] = error.errors as readonly FieldError[];
  return first === undefined
    ? fault("", error.code, error.message)
    : fault(first.path, first.code, first.message);
}
