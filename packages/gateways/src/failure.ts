import type { Failure } from "@heliograph/contracts";
import { z } from "zod";

/** What a provider said of a failure. */
export type Said = { readonly code?: string; readonly text?: string | undefined };

/** The provider's own codes, or words, of failures that it charges for nevertheless, as an operator reads them in its price list. */
export const BillableCodes = z.array(z.string().regex(/^[\w.:-]{1,64}$/)).max(100);

/** The failure as one that is charged for, where the provider charges for one of these. */
export const billedAs = (failure: Failure, isBillable: boolean): Failure =>
  isBillable ? { ...failure, billable: true } : failure;

/** Providers say less; what is looked at is bounded, since anybody can send a report. */
const maxText = 2_000;
const lookedAt = 4 * maxText;
/** A mail address, its local part as an atom or quoted. Servers write it in another case than it was given in, and name others beside it. */
const address =
  /(?:"[^"@]{1,64}"|[^\s<>()[\],;:"@]{1,320})@(?:\[[^\]\s]{1,64}\]|[^\s<>()[\],;:"@]{1,320})/g;

/** What a provider said, without whatever looks like a mail address. */
export const withoutAddresses = (text: string): string =>
  text.slice(0, lookedAt).replaceAll(address, "<recipient>").slice(0, maxText);

/**
 * A failure in our words with the provider's beside them, which never quote whom the message is for: a mail address in any spelling, a number with its plus, without, or with one that is written %2B.
 */
export function failureOf(
  gateway: string,
  fault: Pick<Failure, "code" | "class" | "permanent">,
  { code = "", text = "" }: Said,
  to = "",
): Failure {
  const words = text === "" ? "the provider gave no reason" : text;
  const hidden =
    to === ""
      ? words
      : words.replaceAll(to, "<recipient>").replaceAll(to.replace(/^\+/, ""), "<recipient>");
  return {
    ...fault,
    provider: {
      name: gateway,
      ...(code !== "" && { code: code.slice(0, 64) }),
      text: withoutAddresses(hidden),
    },
  };
}
