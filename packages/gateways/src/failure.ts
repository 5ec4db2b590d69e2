import type { Failure } from "@heliograph/contracts";

/** What a provider said of a failure. */
export type Said = { readonly code?: string; readonly text?: string | undefined };

/** A failure in our words with the provider's beside them, which never quote whom the message is for: with the plus of a number, without, or with one that is written %2B. */
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
      text: hidden.slice(0, 2_000),
    },
  };
}
