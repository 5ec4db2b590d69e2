import { z } from "zod";
import { lifecycleData } from "./lifecycle-data.ts";
import {
  lifecycleBody,
  lifecycleTypeNames,
  sampleLifecycle,
  type LifecycleType,
} from "./lifecycle.ts";
import type { Environment } from "@heliograph/contracts";

/** Of each type's `data`. Fields are added under the same one; a change that breaks a reader would need the next, and fails `npm run check`. */
export const lifecycleVersion = 1;

/** The `data` of a type's events as JSON Schema (2020-12). */
export function lifecycleSchema(type: LifecycleType): Readonly<Record<string, unknown>> {
  const { $schema: _, ...schema } = z.toJSONSchema(lifecycleData[type]);
  return schema;
}

/** The schemas of all types. */
export const lifecycleSchemas = (): Readonly<Record<string, Readonly<Record<string, unknown>>>> =>
  Object.fromEntries(lifecycleTypeNames.map((type) => [type, lifecycleSchema(type)]));

/** A made-up event of a type as it would arrive. */
export function lifecycleExample(type: LifecycleType, environment: Environment): object {
  const source = {
    id: "00000000-0000-7000-8000-000000000000",
    partner: "ptn_00000000000000000000000000",
    recordedAt: Date.UTC(2026, 0, 1),
  };
  return JSON.parse(lifecycleBody(sampleLifecycle(type, source, environment), 1)) as object;
}
