import { randomBytes } from "node:crypto";
import { type Answer, type Call, notValid, type Route, route } from "@heliograph/api";
import { PublicError } from "@heliograph/contracts";
import type { z } from "zod";
import { earliestMs, latestMs, makeFormToken, nonceBytes, readFormToken } from "../form-token.ts";
import { type FormFields, FormView } from "./schema.ts";

/** What a page that has the form hides in it. It costs nothing to make, and nothing is kept of it. */
function render({ context }: Call): Answer {
  const now = Date.now();
  const body = {
    token: makeFormToken(context.masterKey, now, randomBytes(nonceBytes)),
    usable_at: new Date(now + earliestMs).toISOString(),
    expires_at: new Date(now + latestMs).toISOString(),
  };
  return { status: 200, body };
}

const refuse = (field: keyof z.infer<typeof FormFields>, code: string, message: string) =>
  notValid("body", [{ path: `form.${field}`, code, message }]);

/** The rendering that a request comes from. Throws `invalid_request` with what whoever is a person can do about it. */
export function renderingOf(
  { context }: Call<unknown, unknown>,
  { token, left_empty }: z.infer<typeof FormFields>,
): string {
  const read = readFormToken(context.masterKey, token, Date.now());
  switch (read.kind) {
    case "early": {
      const seconds = Math.ceil(read.waitMs / 1_000);
      throw refuse("token", "too_early", `send it again in ${seconds} s`);
    }
    case "expired":
      throw refuse("token", "expired", "the form is older than two hours; send it from a new one");
    case "foreign":
      throw refuse("token", "invalid_value", "is none of ours; send it from a new form");
    case "good":
      break;
    default:
      return read satisfies never;
  }
  if (left_empty !== undefined && left_empty !== "")
    throw refuse("left_empty", "not_empty", "has to stay empty; clear it and send it again");
  return read.nonce;
}

/** One rendering asks for one evaluation: with other words it is said so, and not that a key was used again. */
export const usedForm = (error: unknown): unknown =>
  error instanceof PublicError && error.code === "idempotency_key_reused"
    ? refuse("token", "used", "the form was sent with other words before; send it from a new one")
    : error;

export const formRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/evaluations/form",
    scope: "public",
    summary: "What a page that has a form for evaluations hides in it, anew for each rendering",
    response: FormView,
    errors: [],
    handler: render,
  }),
];
