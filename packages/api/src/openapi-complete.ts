import { fields } from "./openapi-fields.ts";

/** A JSON Schema as it stands in the document. */
export type JsonSchema = {
  $ref?: string;
  type?: string | string[];
  description?: string;
  example?: unknown;
  examples?: unknown[];
  enum?: unknown[];
  "x-extensible-enum"?: unknown[];
  const?: unknown;
  format?: string;
  minimum?: number;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  additionalProperties?: boolean | JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  allOf?: JsonSchema[];
};
type Media = { schema?: JsonSchema; example?: unknown };
type Content = { content?: Record<string, Media> };
type Operation = {
  parameters?: { in: string; name: string; description?: string; schema?: JsonSchema }[];
  requestBody?: Content;
  responses: Record<string, Content>;
};
export type Document = {
  paths: Record<string, Record<string, Operation>>;
  webhooks?: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, JsonSchema> };
};

const inner = (schema: JsonSchema): JsonSchema[] => [
  ...(schema.anyOf ?? []),
  ...(schema.oneOf ?? []),
  ...(schema.allOf ?? []),
  ...(schema.items === undefined ? [] : [schema.items]),
  ...(typeof schema.additionalProperties === "object" ? [schema.additionalProperties] : []),
];

/**
 * Completes the document that the schemas make: words and examples for fields that have none, an example for every body, and answers that
 * may grow. What is in an answer may get more fields and more values, so clients must not be generated to refuse them. Changes it in place.
 */
export function complete(document: Document): void {
  const { schemas } = document.components;
  for (const [name, schema] of Object.entries(schemas)) describe(schema, name);
  const opened = new Set<JsonSchema>();
  const operations = [document.paths, document.webhooks ?? {}].flatMap((items) =>
    Object.values(items).flatMap((item) => Object.values(item)),
  );
  for (const { parameters = [], requestBody, responses } of operations) {
    for (const parameter of parameters) {
      const words = parameter.description ?? parameter.schema?.description;
      const [known, example] =
        fields[`${parameter.in}.${parameter.name}`] ?? fields[parameter.name] ?? [];
      parameter.description = words ?? known ?? "";
      const { schema } = parameter;
      if (parameter.in === "path" && schema !== undefined && schema.example === undefined)
        if (example !== undefined && fits(schema, example)) schema.examples ??= [example];
    }
    for (const { content } of Object.values(responses))
      for (const { schema } of Object.values(content ?? {}))
        if (schema !== undefined) open(schema, schemas, opened);
    for (const { content } of [requestBody ?? {}, ...Object.values(responses)])
      for (const media of Object.values(content ?? {}))
        if (media.schema !== undefined) {
          describe(media.schema, "");
          media.example ??= exampleOf(media.schema, schemas);
        }
  }
  for (const item of Object.values(document.webhooks ?? {}))
    for (const { requestBody } of Object.values(item))
      for (const { schema } of Object.values(requestBody?.content ?? {}))
        if (schema !== undefined) open(schema, schemas, opened);
}

/** Gives words and examples to the fields of a schema; `name` is that of the component it belongs to. */
function describe(schema: JsonSchema, name: string): void {
  for (const [key, field] of Object.entries(schema.properties ?? {})) {
    // Each type of event has a schema of its own.
    const common = key === "id" && name.endsWith("Event") ? "event_id" : key;
    const [words, known] = fields[`${name}.${key}`] ?? fields[common] ?? [];
    if (words !== undefined) field.description ??= words;
    const example = known === undefined ? idAsDescribed(field) : known;
    if (example !== undefined && field.example === undefined && fits(field, example))
      field.examples ??= [example];
    describe(field, name);
  }
  for (const part of inner(schema)) describe(part, name);
}

/** An id whose description begins with what it begins with, such as `cnv_…`. */
function idAsDescribed({ description = "" }: JsonSchema): string | undefined {
  const prefix = /^`([a-z]{3})_…`/.exec(description)?.[1];
  return prefix && `${prefix}_01HNQX2P8Y9R3T4V5W6Z7A8B9C`;
}

function fits(schema: JsonSchema, example: unknown): boolean {
  if (schema.$ref !== undefined || schema.const !== undefined) return false;
  if (schema.enum !== undefined) return schema.enum.includes(example);
  if (schema.anyOf !== undefined) return schema.anyOf.some((part) => fits(part, example));
  if (Array.isArray(schema.type))
    return schema.type.some((type) => fits({ ...schema, type }, example));
  switch (schema.type) {
    case "integer":
    case "number":
      return typeof example === "number";
    case "array":
      return (
        Array.isArray(example) && example.every((item) => fits(schema.items ?? {}, item) === true)
      );
    case "object": {
      if (typeof example !== "object" || example === null || Array.isArray(example)) return false;
      const { properties = {}, additionalProperties: rest = true } = schema;
      return Object.entries(example).every(([key, value]) => {
        const field = properties[key] ?? rest;
        return typeof field === "boolean" ? field : fits(field, value);
      });
    }
    default:
      return (
        schema.type === undefined ||
        schema.type === typeof example ||
        (schema.type === "null" && example === null)
      );
  }
}

/** Opens what an answer is made of: more fields may come, and more values where there is a choice of several. */
function open(
  schema: JsonSchema,
  schemas: Readonly<Record<string, JsonSchema>>,
  opened: Set<JsonSchema>,
): void {
  if (opened.has(schema)) return;
  opened.add(schema);
  if (schema.additionalProperties === false) delete schema.additionalProperties;
  if (schema.enum !== undefined && schema.enum.length > 1) {
    const values = schema.enum.map((value) => `\`${String(value)}\``).join(", ");
    schema.description = `${schema.description ?? ""} One of ${values}; more may be added.`.trim();
    schema["x-extensible-enum"] = schema.enum;
    delete schema.enum;
  }
  const referred = schema.$ref === undefined ? undefined : schemas[nameOf(schema.$ref)];
  for (const part of [
    ...inner(schema),
    ...Object.values(schema.properties ?? {}),
    ...(referred === undefined ? [] : [referred]),
  ])
    open(part, schemas, opened);
}

const nameOf = (ref: string): string => ref.slice(ref.lastIndexOf("/") + 1);

/** A value of the schema, made of the examples of its fields: those that are always there, or all where none has to be. */
function exampleOf(schema: JsonSchema, schemas: Readonly<Record<string, JsonSchema>>): unknown {
  if (schema.example !== undefined) return schema.example;
  if (schema.examples !== undefined) return schema.examples[0];
  if (schema.const !== undefined) return schema.const;
  const choice = schema.enum ?? schema["x-extensible-enum"];
  if (choice !== undefined) return choice[0];
  if (schema.$ref !== undefined) return exampleOf(schemas[nameOf(schema.$ref)]!, schemas);
  const [first] = schema.anyOf ?? schema.oneOf ?? [];
  if (first !== undefined) return exampleOf(first, schemas);
  switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
    case "object":
      return Object.fromEntries(
        Object.entries(schema.properties ?? {})
          .filter(([key]) => schema.required === undefined || schema.required.includes(key))
          .map(([key, field]) => [key, exampleOf(field, schemas)]),
      );
    case "array":
      return [exampleOf(schema.items ?? {}, schemas)];
    case "integer":
    case "number":
      return Math.max(schema.minimum ?? 1, 1);
    case "boolean":
      return true;
    case "null":
      return null;
    case "string":
      return schema.format === "date-time" ? "2026-05-23T14:22:17.042Z" : "text";
    default:
      return {};
  }
}
