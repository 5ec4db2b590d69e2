import { comment, typeOf, type Schema, type Style } from "./answer-types.ts";
import type { ClientDocument, Operation } from "./operations.ts";

const made = "// Made by `npm run generate` from the OpenAPI document.\n";
const style: Style = { nameOf: (name) => `T.${name}`, open: true, comments: true };

/** The types of the TypeScript client: everything that the document names. */
export function clientTypes({ components, webhooks }: ClientDocument): string {
  const own = { ...style, nameOf: (name: string) => name };
  const lines = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `${comment(schema.description)}export type ${name} = ${typeOf(schema, own)};`,
  );
  const events = Object.entries(webhooks).map(
    ([type, { post }]) =>
      `  readonly ${JSON.stringify(type)}: ${typeOf(post.requestBody.content["application/json"]?.schema ?? {}, own)};`,
  );
  return `${made}
${lines.join("\n")}

/** What webhooks and the feed carry, by its \`type\`. */
export type EventByType = {
${events.join("\n")}
};
`;
}

export type Group = { readonly [name: string]: Group | Operation };
export const isOperation = (entry: Group | Operation): entry is Operation =>
  typeof entry["id"] === "string";

/** The operations as a client has them: groups in groups, in the document's order. */
export function grouped(operations: readonly Operation[]): Group {
  type Open = { [name: string]: Open | Operation };
  const root: Open = {};
  for (const operation of operations) {
    let group = root;
    for (const name of operation.name.slice(0, -1)) group = (group[name] ??= {}) as Open;
    group[operation.name.at(-1)!] = operation;
  }
  return root;
}

const isOptional = (names: readonly { readonly required: boolean }[]): boolean =>
  names.every(({ required }) => !required);

function queryType({ query }: Operation, format: "any" | "json" | "text"): string {
  const fields = query.map((one) => {
    const type = isYesNo(one.schema)
      ? "boolean"
      : one.name === "format" && format !== "any"
        ? formatType(one.schema, format)
        : typeOf(one.schema, style);
    const mark = one.required || (one.name === "format" && format === "text") ? "" : "?";
    return `${comment(one.description)}readonly ${one.name}${mark}: ${one.many ? `${type} | readonly string[]` : type}`;
  });
  return `{ ${fields.join("; ")} }`;
}

const isYesNo = ({ enum: values }: Schema): boolean => values?.join() === "true,false";

const formatType = (schema: Schema, format: "json" | "text"): string =>
  (schema.enum ?? [])
    .filter((value) => (value === "json") === (format === "json"))
    .map((value) => JSON.stringify(value))
    .join(" | ");

function optionsType(operation: Operation): string {
  const names = operation.options.map((name) => JSON.stringify(name)).join(" | ") || "never";
  const parts = [`C.Options<${names}>`];
  if (operation.body && operation.query.length > 0)
    parts.push(`{ readonly query?: ${queryType(operation, "any")} }`);
  if (operation.body?.kind === "bytes") {
    const types = operation.body.types.filter((type) => type !== "*/*");
    const known = types.map((type) => JSON.stringify(type)).join(" | ");
    parts.push(`{ readonly contentType: ${known || "string"} }`);
  }
  return parts.join(" & ");
}

function answerType({ entry, answers, otherTypes }: Operation, text: boolean): string {
  if (otherTypes.includes("text/event-stream")) return "AsyncIterable<T.LifecycleEvent>";
  if (text || (answers.length === 0 && otherTypes.length > 0))
    return `Promise<${otherTypes.every((type) => /^text\/|ndjson/.test(type)) ? "string" : "Uint8Array"}>`;
  const type = [...new Set(answers.map((answer) => typeOf(answer, style)))].join(" | ");
  if (entry) return `C.Listing<${typeOf(entry, style)}, ${type}>`;
  return `Promise<${type || "void"}>`;
}

const hasFormats = ({ answers, otherTypes, query }: Operation): boolean =>
  answers.length > 0 && otherTypes.length > 0 && query.some(({ name }) => name === "format");

function signature(operation: Operation, format: "any" | "json" | "text"): string {
  const { params, body, query } = operation;
  const parameters = params.map((name) => `${name}: string | number`);
  if (body) {
    const type =
      body.kind === "json"
        ? typeOf(body.schema, style)
        : body.kind === "form"
          ? "Readonly<Record<string, string>>"
          : "C.Bytes";
    parameters.push(`body${body.required ? "" : "?"}: ${type}`);
  } else if (query.length > 0) {
    const optional = isOptional(query) && format !== "text";
    parameters.push(`query${optional ? "?" : ""}: ${queryType(operation, format)}`);
  }
  const optional = body?.kind === "bytes" ? "" : "?";
  parameters.push(`options${optional}: ${optionsType(operation)}`);
  return `(${parameters.join(", ")}): ${answerType(operation, format === "text")}`;
}

function linesOf(group: Group, indent: string): readonly string[] {
  return Object.entries(group).flatMap(([name, entry]) => {
    if (!isOperation(entry))
      return [`${indent}readonly ${name}: {`, ...linesOf(entry, `${indent}  `), `${indent}};`];
    const formats = hasFormats(entry) ? (["text", "json"] as const) : (["any"] as const);
    const about = comment(`${entry.summary}: \`${entry.method} ${entry.path}\``);
    return formats.map((format) => `${indent}${about}${name}${signature(entry, format)};`);
  });
}

/** What the TypeScript client can be asked, as a type. */
export function clientSurface(operations: readonly Operation[]): string {
  return `${made}
import type * as C from "../calls.ts";
import type * as T from "./types.ts";

/** Every operation of the platform. */
export type Operations = {
${linesOf(grouped(operations), "  ").join("\n")}
};
`;
}

/** What the client does by at run time: a row for each operation. */
export function clientTable(operations: readonly Operation[]): string {
  const rows = operations.map(({ name, method, path, body, query, options, entry, otherTypes }) => {
    const row = {
      method,
      path,
      ...(body && { body: body.kind }),
      ...(query.length > 0 && !body && { query: true }),
      ...(options.includes("idempotencyKey") && { key: true }),
      ...(entry && { answer: "list" }),
      ...(otherTypes.includes("text/event-stream") && { answer: "stream" }),
    };
    const fields = Object.entries(row).map(
      ([field, value]) => `${field}: ${JSON.stringify(value)}`,
    );
    return `  ${JSON.stringify(name.join("."))}: { ${fields.join(", ")} },`;
  });
  return `${made}
import type { Row } from "../calls.ts";

export const table: Readonly<Record<string, Row>> = {
${rows.join("\n")}
};
`;
}
