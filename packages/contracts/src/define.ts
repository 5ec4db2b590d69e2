import type { z } from "zod";

/** One type and version of event: its name, its version and the shape of its data. */
export type EventDefinition<Type extends string = string, Schema extends z.ZodType = z.ZodType> = {
  readonly type: Type;
  readonly version: number;
  readonly description: string;
  readonly schema: Schema;
};

export function defineEvent<Type extends string, Schema extends z.ZodType>(
  type: Type,
  version: number,
  description: string,
  schema: Schema,
): EventDefinition<Type, Schema> {
  return { type, version, description, schema };
}
