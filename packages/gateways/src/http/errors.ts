import type { Failure } from "@heliograph/contracts";
import { httpErrors, type HttpAnswer } from "../call.ts";
import { valueAt } from "./pointer.ts";
import { jsonIn } from "../json-in.ts";
import type { HttpSettings } from "./settings.ts";

/** What a refusal can mean: by its status, or as the configuration says. */
export const genericErrors = {
  ...httpErrors,
  provider_deferred: { class: "provider", permanent: false },
  undelivered: { class: "provider", permanent: true },
} as const satisfies Record<string, Pick<Failure, "class" | "permanent">>;
export type GenericError = keyof typeof genericErrors;

const reasons = {
  permanent: "provider_rejected",
  transient: "provider_deferred",
  throttled: "provider_throttled",
  account: "gateway_authentication_failed",
} as const satisfies Record<string, GenericError>;

/** What the configuration says of an answer; undefined where it says nothing. */
export function configuredError(
  answer: HttpAnswer,
  errors: HttpSettings["errors"] = [],
): { readonly reason: GenericError; readonly isBillable: boolean } | undefined {
  const body = jsonIn(answer.body);
  const found = errors.find(({ match }) => {
    if (typeof match === "string") return answer.body.includes(match);
    if (match.status !== undefined && match.status !== answer.status) return false;
    if (match.pointer === undefined) return match.status !== undefined;
    const value = valueAt(body, match.pointer);
    return match.equals === undefined
      ? value !== undefined
      : (typeof value !== "object" || value === null) && String(value) === String(match.equals);
  });
  return found && { reason: reasons[found.class], isBillable: found.billable === true };
}

/** A failure in our words; the provider's are its answer's, which are the operator's to read. */
export const genericFailure = (
  gateway: string,
  reason: GenericError,
  said: { readonly code: string; readonly text?: string },
): Failure => ({
  code: reason,
  ...genericErrors[reason],
  provider: {
    name: gateway,
    code: said.code.slice(0, 64),
    text: (said.text ?? `the provider answered ${said.code}`).slice(0, 2_000),
  },
});
