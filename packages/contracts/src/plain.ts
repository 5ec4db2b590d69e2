import type { z } from "zod";

const plain = new WeakMap<z.ZodType, (value: string) => string>();

/** Says of a text in an event's data that anybody who may look at settings may see it: it holds no secret and nothing of a person. Other texts are masked wherever settings are shown as they were. */
export const plainText = <Schema extends z.ZodType>(
  schema: Schema,
  show: (value: string) => string = (value) => value,
): Schema => {
  plain.set(schema, show);
  return schema;
};

/** What is written in place of a value that is not shown. */
export const masked = "[masked]";

type Def = {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly element?: z.ZodType;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
};

/** The value as it may be shown, by the schema of the event that it stands in: numbers, choices and plain texts as they are, everything else masked. */
export function shownBySchema(schema: z.ZodType | undefined, value: unknown): unknown {
  if (value === null || value === undefined || typeof value === "boolean") return value;
  if (schema === undefined) return masked;
  const show = plain.get(schema);
  if (show !== undefined) return typeof value === "string" ? show(value) : value;
  const { type, innerType, element, shape } = schema.def as unknown as Def;
  switch (type) {
    case "optional":
    case "nullable":
    case "default":
      return shownBySchema(innerType, value);
    case "number":
      return typeof value === "number" ? value : masked;
    case "enum":
    case "literal":
      return value;
    case "array":
      return Array.isArray(value) ? value.map((item) => shownBySchema(element, item)) : masked;
    case "object":
      return Object.fromEntries(
        Object.entries(value).map(([name, item]) => [name, shownBySchema(shape?.[name], item)]),
      );
    default:
      return masked;
  }
}
