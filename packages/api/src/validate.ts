import { type FieldError, PublicError, wordsOf } from "@heliograph/contracts";
import { z } from "zod";

const nothing = z.strictObject({});

/**
 * The value as the schema gives it (defaults and coercions applied). Without a schema only an empty object is accepted.
 * Throws `invalid_request` with one entry for each wrong field, its path dotted (`messages.3.to`).
 */
export function validate<Output>(
  schema: z.ZodType<Output> | undefined,
  value: unknown,
  where: "body" | "query" | "path",
): Output {
  const repeated = where === "query" ? repeatedIn(value) : [];
  if (repeated.length > 0) throw notValid(where, repeated);
  const parsed = (schema ?? nothing).safeParse(value, { error: wordsOf, reportInput: true });
  if (parsed.success) return (schema === undefined ? undefined : parsed.data) as Output;
  throw notValid(where, fieldErrors(parsed.error.issues));
}

/** No parameter is taken twice: which of them counted would be anybody's guess. Lists have commas. */
const repeatedIn = (query: unknown): readonly FieldError[] =>
  Object.entries(query ?? {}).flatMap(([path, value]) =>
    Array.isArray(value) ? [{ path, code: "duplicate", message: "is given more than once" }] : [],
  );

/** The refusal of a request whose `where` has wrong fields, at least one. */
export function notValid(
  where: "body" | "query" | "path",
  errors: readonly FieldError[],
): PublicError {
  const { path, message } = errors[0]!;
  return new PublicError(
    "invalid_request",
    `The ${where} is not valid: ${path === "" ? "" : `${path}: `}${message}`,
    { errors },
  );
}

export const unknownField = (path: string): FieldError => ({
  path,
  code: "unknown_field",
  message: "this field does not exist",
});

/** Zod's issues as the fields a caller knows; at most 50, so that the answer stays readable. */
function fieldErrors(issues: readonly z.core.$ZodIssue[]): readonly FieldError[] {
  return issues.flatMap(ofIssue).slice(0, 50);
}

function ofIssue(issue: z.core.$ZodIssue): readonly FieldError[] {
  const path = issue.path.map(String).join(".");
  const below = (name: string): string => (path === "" ? name : `${path}.${name}`);
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownField(below(key)));
  if (
    issue.input === undefined &&
    (issue.code === "invalid_type" || issue.code === "invalid_value")
  )
    return [{ path, code: "required", message: "is required" }];
  if (issue.code === "invalid_union") {
    // The form that was meant is the one whose outline fits: what is wrong then lies inside it.
    const meant = issue.errors.find((branch) =>
      branch.every(({ path: inner }) => inner.length > 0),
    );
    if (meant !== undefined)
      return meant.flatMap(ofIssue).map((error) => ({ ...error, path: below(error.path) }));
    if (issue.input === undefined) return [{ path, code: "required", message: "is required" }];
    const wrongType = issue.errors.every(([first]) => first?.code === "invalid_type");
    return [{ path, code: wrongType ? "invalid_type" : "invalid_value", message: issue.message }];
  }
  if (issue.code === "invalid_key")
    return [{ path, code: "invalid_name", message: issue.issues[0]?.message ?? issue.message }];
  return [
    { path, code: issue.code === "custom" ? "invalid_value" : issue.code, message: issue.message },
  ];
}
