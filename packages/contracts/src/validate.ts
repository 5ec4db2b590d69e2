import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { z } from "zod";
import { eventDefinitions } from "./events/index.ts";

/** The JSON Schema 2020-12 document of one event type and version; `schemas/events/` holds them as files. */
export const eventSchema = (
  definition: (typeof eventDefinitions)[number],
): Record<string, unknown> => ({
  $schema: "https://json-schema.org/draft/2020-12/schema",
  $id: `https://heliograph.dev/schemas/events/${definition.type}.v${definition.version}.json`,
  title: definition.type,
  description: definition.description,
  ...omitSchemaKey(z.toJSONSchema(definition.schema, { target: "draft-2020-12" })),
});

function omitSchemaKey({ $schema: _, ...rest }: Record<string, unknown>): Record<string, unknown> {
  return rest;
}

const ajv = new Ajv2020({ strict: false, meta: false, validateSchema: false });
const definitions = new Map(
  eventDefinitions.map((definition) => [`${definition.type}.${definition.version}`, definition]),
);
const knownTypes = new Set<string>(eventDefinitions.map(({ type }) => type));

type Stored = { readonly type: string; readonly version?: number; readonly data: object };
type Schema = ReturnType<typeof eventSchema>;

/** Compiled when the first event of a type comes, and not checked by the schema of schemas, which the tests do: that took 0.2 s of every start. */
function validatorOf(schemaOf: (schema: Schema) => Schema): (event: Stored) => string | undefined {
  const validators = new Map<string, ValidateFunction>();
  return (event) => {
    const name = `${event.type}.${event.version ?? 1}`;
    let validate = validators.get(name);
    if (validate === undefined) {
      const definition = definitions.get(name);
      if (definition === undefined)
        return `unknown event type ${event.type} version ${event.version ?? 1}`;
      validate = ajv.compile(schemaOf(eventSchema(definition)));
      validators.set(name, validate);
    }
    if (validate(event.data)) return undefined;
    const error = validate.errors?.[0];
    return `${event.type}${error?.instancePath ?? ""} ${error?.message ?? "is not valid"}`;
  };
}

/** Whether an event may be appended: looks up `type` and `version` and validates the data; gives a sentence that says what is wrong, or undefined. */
export const validateEvent = validatorOf((schema) => schema);

const validateRead = validatorOf(({ $id: _, ...schema }) => open(schema) as Schema);

/**
 * What is wrong with an event that was read, or undefined. A later version may have written it: fields and types that this one does not know are no flaw, a version of a
 * known type that it does not know is one.
 */
export const readEventFlaw = (event: Stored): string | undefined =>
  knownTypes.has(event.type) ? validateRead(event) : undefined;

/** A schema that takes any further field, at every depth. */
function open(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(open);
  if (typeof schema !== "object" || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([name, value]) => !(name === "additionalProperties" && value === false))
      .map(([name, value]) => [name, open(value)]),
  );
}
