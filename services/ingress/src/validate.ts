import { type FieldError, PublicError } from "@heliograph/contracts";
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
  const parsed = (schema ?? nothing).safeParse(value);
  if (parsed.success) return (schema === undefined ? undefined : parsed.data) as Output;
  const errors = fieldErrors(parsed.error);
  const first = errors[0]!;
  throw new PublicError(
    "invalid_request",
    `The ${where} is not valid: ${first.path === "" ? "" : `${first.path}: `}${first.message}`,
    { errors },
  );
}

/** Zod's issues as the fields a caller knows; at most 50, so that the answer stays readable. */
export function fieldErrors(error: z.ZodError): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const issue of error.issues) {
    const path = issue.path.map(String).join(".");
    if (issue.code === "unrecognized_keys")
      for (const key of issue.keys)
        errors.push({
          path: path === "" ? key : `${path}.${key}`,
          code: "unknown_field",
          message: "this field does not exist",
        });
    else
      errors.push({
        path,
        code: issue.input === undefined && issue.code === "invalid_type" ? "required" : issue.code,
        message: issue.message,
      });
  }
  return errors.slice(0, 50);
}
