type Schema = {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
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

const primitives: Readonly<Record<string, string>> = {
  string: "string",
  number: "number",
  integer: "number",
  boolean: "boolean",
  null: "null",
};

const either = (types: readonly string[]): string => [...new Set(types)].join(" | ");
const inner = (type: string): string => (type.includes(" | ") ? `(${type})` : type);

function objectType({ properties = {}, required = [], additionalProperties }: Schema): string {
  const fields = Object.entries(properties).map(
    ([name, schema]) =>
      `readonly ${/^\w+$/.test(name) ? name : JSON.stringify(name)}${required.includes(name) ? "" : "?"}: ${typeOf(schema)}`,
  );
  if (fields.length > 0) return `{ ${fields.join("; ")} }`;
  const values =
    typeof additionalProperties === "object" ? typeOf(additionalProperties) : "unknown";
  return `Readonly<Record<string, ${values}>>`;
}

/** The TypeScript of a JSON Schema, of which we write only these parts. */
function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) return `Answers["${schema.$ref.split("/").at(-1)!}"]`;
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return either(schema.enum.map((value) => JSON.stringify(value)));
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives !== undefined) return either(alternatives.map((one) => inner(typeOf(one))));
  if (schema.allOf !== undefined) return schema.allOf.map((one) => inner(typeOf(one))).join(" & ");
  const names = typeof schema.type === "string" ? [schema.type] : (schema.type ?? []);
  if (names.length === 0) return schema.properties === undefined ? "unknown" : objectType(schema);
  return either(
    names.map((name) =>
      name === "array"
        ? `readonly ${inner(typeOf(schema.items ?? {}))}[]`
        : name === "object"
          ? objectType(schema)
          : (primitives[name] ?? "unknown"),
    ),
  );
}

/** The types of everything that the OpenAPI document names, a line each, for code that reads answers. */
export function answerTypes({ components }: Schemas): string {
  const lines = Object.entries(components.schemas).map(
    ([name, schema]) => `  readonly ${name}: ${typeOf(schema)};`,
  );
  return `// Made by \`npm run generate\` from the OpenAPI document.

/** What the REST surface takes and answers, by its name in the document. */
export type Answers = {
${lines.join("\n")}
};
`;
}
