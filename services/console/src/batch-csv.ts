import { readTyped, writeCell } from "@heliograph/api";
import { mostBatchMessages } from "@heliograph/contracts";
import { parse } from "csv-parse/sync";

/** What one batch of the REST surface takes. */
/** UTF-8. With its preview it travels as a field of a form, of which all fields have 256 KiB. */
const maxBytes = 200_000;
const plain = [
  "channel",
  "to",
  "from",
  "template",
  "language",
  "subject",
  "text",
  "category",
  "client_ref",
  "send_at",
];

export type BatchRow = {
  readonly line: number;
  readonly to: string;
  /** Its text, or the name of its template. */
  readonly about: string;
  readonly message: Readonly<Record<string, unknown>>;
};
export type BatchFile =
  | { readonly refusal: string; readonly rows?: never }
  | { readonly rows: readonly BatchRow[]; readonly refusal?: never };

type Parsed = { readonly record: readonly string[]; readonly info: { readonly lines: number } };

/** The messages of a CSV file: one a line, under a head with the names of the fields; `variables[name]` fills the gap `name` of a template. */
export function readBatch(text: string): BatchFile {
  if (text.trim() === "")
    return { refusal: "There is nothing in it: paste the lines, or choose a file." };
  if (Buffer.byteLength(text) > maxBytes)
    return {
      refusal: `It is larger than ${maxBytes} bytes. Send it in parts, or over the REST API.`,
    };
  let found: readonly Parsed[];
  try {
    found = parse(text, {
      bom: true,
      info: true,
      delimiter: delimiterOf(text),
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as readonly Parsed[];
  } catch (error) {
    return { refusal: `It cannot be read as CSV: ${(error as Error).message}.` };
  }
  const [head, ...lines] = found;
  const names = (head?.record ?? []).map((name) =>
    name.toLowerCase().replace(/^variables\[.*$/s, () => name),
  );
  const strange = names.filter((name) => !plain.includes(name) && !/^variables\[\w+\]$/.test(name));
  if (strange.length > 0 || !names.includes("to"))
    return {
      refusal: `The first line names the columns: “to”, and of ${plain.join(", ")} and variables[name] those that there are.${strange.length > 0 ? ` Not known: ${strange.join(", ")}.` : ""}`,
    };
  if (lines.length === 0) return { refusal: "There is no line below the names of the columns." };
  if (lines.length > mostBatchMessages)
    return {
      refusal: `${lines.length} lines; one batch takes ${mostBatchMessages}. Send it in parts.`,
    };
  return {
    rows: lines.map(({ record, info }) => rowOf(names, record, info.lines)),
  };
}

/** What a spreadsheet of that country writes between cells. */
function delimiterOf(text: string): string {
  const [line = ""] = text.trimStart().split("\n", 1);
  return [",", ";", "\t"].toSorted(
    (one, other) => line.split(other).length - line.split(one).length,
  )[0]!;
}

function rowOf(names: readonly string[], record: readonly string[], line: number): BatchRow {
  const given = names.flatMap((name, at): [string, string][] => {
    const cell = readTyped(record[at] ?? "");
    return cell === "" ? [] : [[name, cell]];
  });
  const own = new Map(given.filter(([name]) => !name.startsWith("variables[")));
  const variables = given
    .filter(([name]) => name.startsWith("variables["))
    .map(([name, cell]) => [name.slice(10, -1), cell] as const);
  return {
    line,
    to: own.get("to") ?? "",
    about: own.get("text") ?? own.get("template") ?? "",
    message: {
      ...Object.fromEntries(own),
      channel: own.get("channel")?.toLowerCase() ?? "sms",
      ...(variables.length > 0 && { variables: Object.fromEntries(variables) }),
    },
  };
}

export type Outcome = {
  readonly line: number;
  readonly to: string;
  /** Of what was accepted. */
  readonly id: string;
  readonly status: string;
  /** Of what was refused. */
  readonly code: string;
  readonly why: string;
};

const columns = ["line", "to", "message_id", "status", "error_code", "error"];

/** What became of each line, as a file (RFC 4180) in which no cell runs. */
export const writeOutcomes = (rows: readonly Outcome[]): string =>
  [columns, ...rows.map(({ line, to, id, status, code, why }) => [line, to, id, status, code, why])]
    .map((cells) => cells.map(quoted).join(","))
    .map((line) => `${line}\r\n`)
    .join("");

const quoted = (cell: string | number): string =>
  typeof cell === "number" ? String(cell) : `"${writeCell(cell).replaceAll('"', '""')}"`;
