import { readCell } from "@heliograph/api";

/** What a cell of a column means. */
type Column =
  | { readonly kind: "field"; readonly name: "name" | "language" | "time_zone" | "client_ref" }
  | { readonly kind: "tags" }
  | { readonly kind: "address"; readonly source: string }
  /** One half of an external id; the other half is in the column of the other kind. */
  | { readonly kind: "source" | "id" }
  | { readonly kind: "json"; readonly name: "external_ids" | "attributes" }
  | {
      readonly kind: "attribute";
      readonly key: string;
      readonly type: "text" | "number" | "boolean";
    };
export type Head = {
  readonly cells: readonly string[];
  readonly columns: readonly Column[];
};

/** A row as it is written, for the rules that requests go through too. Cells without a text are not in it. */
export type Raw = {
  external_ids?: unknown[];
  attributes?: Record<string, unknown>;
  [field: string]: unknown;
};
export type RowFault = { readonly field: string; readonly code: string; readonly message: string };

const fields = ["name", "language", "time_zone", "client_ref"] as const;
const addresses: Readonly<Record<string, string>> = {
  sms: "sms",
  phone: "sms",
  phone_number: "sms",
  mobile: "sms",
  whatsapp: "whatsapp",
  email: "email",
  e_mail: "email",
  email_address: "email",
  telegram: "telegram",
};

/** The columns that an export has; an import takes them, and those that `columnOf` knows besides. */
export const exportedColumns = [
  "name",
  "sms",
  "whatsapp",
  "email",
  "telegram",
  "external_ids",
  "language",
  "time_zone",
  "attributes",
  "tags",
  "client_ref",
] as const;

function columnOf(cell: string): Column | undefined {
  const attribute = /^attributes?\.(.+?)(?::(text|number|boolean))?$/i.exec(cell);
  if (attribute !== null) {
    const type = (attribute[2]?.toLowerCase() ?? "text") as "text" | "number" | "boolean";
    return { kind: "attribute", key: attribute[1]!, type };
  }
  const sourced = /^external_ids?\.([a-z0-9_.-]+)$/.exec(cell);
  if (sourced !== null) return { kind: "address", source: sourced[1]! };
  const name = cell.toLowerCase().replaceAll(/[\s-]+/g, "_");
  const field = fields.find((each) => each === name);
  if (field !== undefined) return { kind: "field", name: field };
  if (Object.hasOwn(addresses, name)) return { kind: "address", source: addresses[name]! };
  if (name === "tags" || name === "source") return { kind: name };
  if (name === "id" || name === "external_id") return { kind: "id" };
  if (name === "external_ids" || name === "attributes") return { kind: "json", name };
  return undefined;
}

const delimiters = [",", ";", "\t"] as const;
export type Delimiter = (typeof delimiters)[number];

/** The separator under which a head line has most columns that are known; spreadsheets of some countries write semicolons. */
export function delimiterOf(line: string): Delimiter {
  const known = (delimiter: string): number =>
    line
      .split(delimiter)
      .filter((cell) => columnOf(cell.trim().replaceAll(/^"|"$/g, "")) !== undefined).length;
  return delimiters.toSorted((left, right) => known(right) - known(left))[0]!;
}

/** What each column means, or why the file is refused as a whole: nothing of it may be lost in a column that nobody reads. */
export function readHead(cells: readonly string[]): Head | { readonly refusal: string } {
  const columns = cells.map((cell) => columnOf(readCell(cell).trim()));
  const unknown = cells.filter((_, index) => columns[index] === undefined);
  if (unknown.length > 0)
    return {
      refusal: `The head has columns that are not known: ${unknown
        .slice(0, 10)
        .map((cell) => JSON.stringify(cell.slice(0, 40)))
        .join(
          ", ",
        )}. Known are ${exportedColumns.join(", ")}, phone, source with id, external_id.<source> and attribute.<name>.`,
    };
  const found = columns as Column[];
  const names = found.map((column) => JSON.stringify(column));
  const twice = cells.find(
    (_, index) => found[index]!.kind !== "address" && names.indexOf(names[index]!) !== index,
  );
  if (twice !== undefined)
    return { refusal: `The head has the column ${JSON.stringify(twice)} twice.` };
  const half = (kind: "source" | "id"): boolean => found.some((column) => column.kind === kind);
  if (half("source") !== half("id"))
    return { refusal: "The columns source and id belong together: the head has one of them." };
  return { cells, columns: found };
}

/** A record by its columns. A cell without a text says nothing. */
export function readRecord(
  { cells: names, columns }: Head,
  record: readonly string[],
): { readonly raw: Raw } | { readonly fault: RowFault } {
  const raw: Raw = {};
  const ids: unknown[] = [];
  const attributes: [string, unknown][] = [];
  let [source, id] = ["", ""];
  if (record.slice(columns.length).some((cell) => cell !== ""))
    return { fault: fault("", "too_many_cells", "has more cells than the head has columns") };
  for (const [index, column] of columns.entries()) {
    const text = readCell(record[index] ?? "");
    if (text === "") continue;
    switch (column.kind) {
      case "field":
        raw[column.name] = text;
        break;
      case "address":
        ids.push({ source: column.source, id: text });
        break;
      case "source":
        source = text;
        break;
      case "id":
        id = text;
        break;
      case "tags":
        raw["tags"] = text.startsWith("[") ? json(text) : split(text);
        break;
      case "attribute":
        attributes.push([column.key, typed(text, column.type)]);
        break;
      case "json": {
        const value = json(text);
        if (column.name === "external_ids" && Array.isArray(value)) ids.push(...value);
        else if (column.name === "attributes" && isRecord(value))
          attributes.push(...Object.entries(value));
        else return { fault: fault(names[index]!, "invalid_json", "is not what an export writes") };
        break;
      }
      default:
        column satisfies never;
    }
  }
  if ((source === "") !== (id === ""))
    return { fault: fault("id", "required", "source and id belong together") };
  if (id !== "") ids.push({ source, id });
  if (ids.length > 0) raw.external_ids = ids;
  // Not by assignment: `__proto__` would be lost instead of refused.
  if (attributes.length > 0) raw.attributes = Object.fromEntries(attributes);
  return { raw };
}

export const fault = (field: string, code: string, message: string): RowFault => ({
  field,
  code,
  message,
});

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const split = (text: string): string[] =>
  text
    .split(/[;,]/)
    .map((tag) => tag.trim())
    .filter((tag) => tag !== "");

/** What is no number or truth stays a text, which the rules of the attribute then refuse. */
function typed(text: string, type: "text" | "number" | "boolean"): unknown {
  if (type === "number" && /^-?\d+(?:\.\d+)?$/.test(text)) return Number(text);
  if (type === "boolean" && /^(?:true|false)$/i.test(text)) return text.toLowerCase() === "true";
  return type === "text" ? text : [text];
}
