import type { PublicError } from "@heliograph/contracts";

/** What a refused message means for its broadcast. */
export type Verdict =
  /** Nothing is sent to this contact; the others are not concerned. */
  | { readonly kind: "skip"; readonly reason: string }
  /** The next one would be refused too: somebody has to do something first. */
  | { readonly kind: "pause"; readonly code: string; readonly reason: string }
  /** It will do later by itself. */
  | { readonly kind: "later"; readonly afterMs: number };

/** Of the partner, what is sent or the installation; a broken rule of the recipient's stops nobody else. */
const ofEverybody: ReadonlySet<string> = new Set([
  "insufficient_funds",
  "spend_limit_reached",
  "template_not_found",
  "template_variables_invalid",
]);

const laterMs = 1_000;
/** A limit of a day is full until midnight, unless somebody raises it before. */
const mostLaterMs = 60_000;

/** `own`: the variables that each contact has values of its own for; what is wrong with those alone concerns nobody else. */
export function verdictOf(error: PublicError, own: readonly string[] = []): Verdict {
  const { code, status } = error;
  if (isOfOwnValues(error, own)) return { kind: "skip", reason: "value_invalid" };
  if (error.extra["policy"] === "recipient") return { kind: "skip", reason: "recipient_limit" };
  // Whatever its status is: what says when to ask again will do then.
  if (status === 503 || status === 429 || error.retryAfterSeconds !== undefined) {
    const afterMs = (error.retryAfterSeconds ?? 0) * 1_000 || laterMs;
    return { kind: "later", afterMs: Math.min(afterMs, mostLaterMs) };
  }
  const pause = { kind: "pause", code, reason: error.message } as const;
  if (ofEverybody.has(code) || status >= 500) return pause;
  // What is said is wrong, whoever it is said to.
  if (code === "invalid_request" && !error.errors.every(({ path }) => path === "to")) return pause;
  return { kind: "skip", reason: code === "invalid_request" ? "invalid_address" : code };
}

/** Values that are of another type than the template says, or make a text that the channel does not carry. */
function isOfOwnValues({ code, errors }: PublicError, own: readonly string[]): boolean {
  if (own.length === 0 || errors.length === 0) return false;
  const paths = errors.map(({ path }) => path);
  // A variable that the template has not, or has of late and nobody was asked for, is of everybody.
  if (!errors.every(({ code: fault }) => faultsOfValues.has(fault))) return false;
  return code === "template_variables_invalid"
    ? paths.every((path) => own.some((name) => path === `variables.${name}`))
    : code === "invalid_request" && paths.every((path) => ofContent.has(path));
}
const faultsOfValues: ReadonlySet<string> = new Set([
  "wrong_type",
  "too_long",
  "line_break",
  "too_many_blanks",
  "invalid_characters",
  "blank",
]);
const ofContent: ReadonlySet<string> = new Set(["text", "html", "subject", "variables"]);
