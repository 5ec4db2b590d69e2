import { readFileSync } from "node:fs";
import { lifecycleSchemas } from "@heliograph/domain";

/** What a schema may say, as far as readers rely on it. */
export type ReadSchema = {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly properties?: Readonly<Record<string, ReadSchema>>;
  readonly required?: readonly string[];
  readonly items?: ReadSchema;
  readonly anyOf?: readonly ReadSchema[];
};

/** The schemas of the last release, which `node scripts/generate.ts --released` renews when one is made. */
export const releasedFile = "schemas/released/lifecycle.json";

const branchesOf = (schema: ReadSchema): readonly ReadSchema[] =>
  schema.anyOf?.flatMap(branchesOf) ?? [schema];
const typesOf = (schema: ReadSchema): readonly string[] =>
  branchesOf(schema).flatMap(({ type }) => type ?? []);
const valuesOf = ({ enum: values, const: value }: ReadSchema): readonly unknown[] | undefined =>
  values ?? (value === undefined ? undefined : [value]);
/** What it is where it is not null; undefined where that may be several things. */
function bodyOf(schema: ReadSchema): ReadSchema | undefined {
  const [body, ...others] = branchesOf(schema).filter(({ type }) => type !== "null");
  return others.length === 0 ? body : undefined;
}

/** Where a reader that was written for one schema fails on what another one lets through. */
export function readerBreaks(before: ReadSchema, after: ReadSchema, at: string): readonly string[] {
  const known = typesOf(before);
  const added = typesOf(after).filter((type) => !known.includes(type));
  if (known.length > 0 && (added.length > 0 || typesOf(after).length === 0))
    return [`${at} may be ${added.join(" or ") || "anything"} now`];
  const [was, is] = [bodyOf(before), bodyOf(after)];
  if (was === undefined || is === undefined)
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [`${at} is something else now`];
  return [
    ...valueBreaks(was, is, at),
    ...fieldBreaks(was, is, at),
    ...(was.items === undefined ? [] : readerBreaks(was.items, is.items ?? {}, `${at}[]`)),
  ];
}

function valueBreaks(was: ReadSchema, is: ReadSchema, at: string): readonly string[] {
  const values = valuesOf(was);
  const fresh = valuesOf(is)?.filter((value) => !values?.includes(value));
  const breaks: string[] = [];
  if (values !== undefined && (fresh === undefined || fresh.length > 0))
    breaks.push(`${at} has other values: ${fresh?.map(String).join(", ") ?? "any"}`);
  for (const form of ["pattern", "format"] as const)
    if (was[form] !== undefined && was[form] !== is[form]) breaks.push(`${at} has another ${form}`);
  if (was.minimum !== undefined && (is.minimum ?? -Infinity) < was.minimum)
    breaks.push(`${at} may be less than ${was.minimum} now`);
  return breaks;
}

const fieldBreaks = (was: ReadSchema, is: ReadSchema, at: string): readonly string[] =>
  Object.entries(was.properties ?? {}).flatMap(([name, field]) => {
    const now = is.properties?.[name];
    if (now === undefined) return [`${at}.${name} is gone`];
    const isSure = (schema: ReadSchema): boolean => schema.required?.includes(name) ?? false;
    const missing = isSure(was) && !isSure(is) ? [`${at}.${name} may be missing now`] : [];
    return [...missing, ...readerBreaks(field, now, `${at}.${name}`)];
  });

type Schemas = Readonly<Record<string, ReadSchema>>;

/** What of the lifecycle events breaks readers that were written for the last release. */
export function checkReaders(
  released = JSON.parse(readFileSync(releasedFile, "utf8")) as Schemas,
  current = lifecycleSchemas() as Schemas,
): readonly string[] {
  return Object.entries(released).flatMap(([type, before]) => {
    const after = current[type];
    return after === undefined ? [`${type} is gone`] : readerBreaks(before, after, type);
  });
}
