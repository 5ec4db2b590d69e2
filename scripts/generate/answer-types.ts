export type Schema = {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly description?: string;
  readonly const?: unknown;
  readonly example?: unknown;
  readonly examples?: readonly unknown[];
  readonly enum?: readonly unknown[];
  readonly "x-extensible-enum"?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
};

export type Schemas = {
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
};

/** How the types of one file are written. */
export type Style = {
  /** What another schema is called. */
  readonly nameOf: (name: string) => string;
  /** Values that may become more are offered by name and stay open. */
  readonly open: boolean;
  /** Descriptions become comments. */
  readonly comments: boolean;
};

const primitives: Readonly<Record<string, string>> = {
  string: "string",
  number: "number",
  integer: "number",
  boolean: "boolean",
  null: "null",
};

const either = (types: readonly string[]): string => [...new Set(types)].join(" | ");
const inner = (type: string): string => (type.includes(" | ") ? `(${type})` : type);

/** A comment that no description ends early. */
export const comment = (text: string | undefined): string =>
  text === undefined || text === ""
    ? ""
    : `/** ${text.replaceAll("*/", "*\\/").replaceAll(/\s+/g, " ")} */ `;

function objectType(schema: Schema, style: Style): string {
  const { properties = {}, required = [], additionalProperties } = schema;
  const fields = Object.entries(properties).map(
    ([name, field]) =>
      `${style.comments ? comment(field.description) : ""}readonly ${/^\w+$/.test(name) ? name : JSON.stringify(name)}${required.includes(name) ? "" : "?"}: ${typeOf(field, style)}`,
  );
  if (fields.length > 0) return `{ ${fields.join("; ")} }`;
  const values =
    typeof additionalProperties === "object" ? typeOf(additionalProperties, style) : "unknown";
  return `Readonly<Record<string, ${values}>>`;
}

/** The TypeScript of a JSON Schema, of which we write only these parts. */
export function typeOf(schema: Schema, style: Style): string {
  if (schema.$ref !== undefined) return style.nameOf(schema.$ref.split("/").at(-1)!);
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return either(schema.enum.map((value) => JSON.stringify(value)));
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives !== undefined)
    return either(alternatives.map((one) => inner(typeOf(one, style))));
  if (schema.allOf !== undefined)
    return schema.allOf.map((one) => inner(typeOf(one, style))).join(" & ");
  const names = typeof schema.type === "string" ? [schema.type] : (schema.type ?? []);
  if (names.length === 0)
    return schema.properties === undefined ? "unknown" : objectType(schema, style);
  return either(
    names.map((name) => {
      if (name === "array") return `readonly ${inner(typeOf(schema.items ?? {}, style))}[]`;
      if (name === "object") return objectType(schema, style);
      const known = style.open && name === "string" ? schema["x-extensible-enum"] : undefined;
      if (known !== undefined)
        return either([...known.map((value) => JSON.stringify(value)), "(string & {})"]);
      return primitives[name] ?? "unknown";
    }),
  );
}

/** The types of everything that the OpenAPI document names, a line each, for code that reads answers. */
export function answerTypes({ components }: Schemas): string {
  const style: Style = { nameOf: (name) => `Answers["${name}"]`, open: false, comments: false };
  const lines = Object.entries(components.schemas).map(
    ([name, schema]) => `  readonly ${name}: ${typeOf(schema, style)};`,
  );
  return `// Made by \`npm run generate\` from the OpenAPI document.

/** What the REST surface takes and answers, by its name in the document. */
export type Answers = {
${lines.join("\n")}
};
`;
}
