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

/** Looks up `type` and `version` and validates the data; gives a sentence that says what is wrong, or undefined. */
export function eventValidator(): (event: {
  type: string;
  version?: number;
  data: object;
}) => string | undefined {
  const ajv = new Ajv2020({ strict: false, allErrors: false });
  const validators = new Map<string, ValidateFunction>();
  for (const definition of eventDefinitions)
    validators.set(
      `${definition.type}.${definition.version}`,
      ajv.compile(eventSchema(definition)),
    );
  return (event) => {
    const validate = validators.get(`${event.type}.${event.version ?? 1}`);
    if (validate === undefined)
      return `unknown event type ${event.type} version ${event.version ?? 1}`;
    if (validate(event.data)) return undefined;
    const error = validate.errors?.[0];
    return `${event.type}${error?.instancePath ?? ""} ${error?.message ?? "is not valid"}`;
  };
}
