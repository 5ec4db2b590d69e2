import {
  type ErrorCode,
  type FieldError,
  PublicError,
  errorCatalogue,
  hasSecret,
  maskSecrets,
} from "@heliograph/contracts";

/** Where an instance explains its errors; below it a page for each code. */
export const errorsPath = "/errors";

/** An `application/problem+json` body (RFC 9457) with our `code`, `request_id`, `errors` and `doc_url`. */
export type Problem = {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: ErrorCode;
  readonly request_id: string;
  readonly errors?: readonly FieldError[];
  readonly doc_url: string;
};

/**
 * The problem of a refusal. `instance` is the path of the request, without its query, which may hold personal data; `origin` is where the
 * caller reached us, so that `doc_url` opens there.
 */
export function problemOf(
  error: PublicError,
  requestId: string,
  instance: string,
  origin: string,
): Problem {
  const problem = plainProblem(error, requestId, instance, origin);
  const text = JSON.stringify(problem);
  // It may quote what was sent, and a key is often sent in the wrong place.
  return hasSecret(text) ? (JSON.parse(maskSecrets(text)) as Problem) : problem;
}

function plainProblem(
  error: PublicError,
  requestId: string,
  instance: string,
  origin: string,
): Problem {
  const { status, title } = errorCatalogue[error.code];
  const page = `${origin}${errorsPath}/${error.code}`;
  return {
    // First, so that none of them can take the place of a member below.
    ...error.extra,
    type: page,
    title,
    status,
    detail: error.message,
    instance,
    code: error.code,
    request_id: requestId,
    ...(error.errors.length > 0 ? { errors: error.errors } : undefined),
    doc_url: page,
  };
}

/** Anything else that was thrown is our fault: the caller learns nothing of it, the log everything. */
export const asPublicError = (error: unknown): PublicError =>
  error instanceof PublicError
    ? error
    : new PublicError(
        "internal",
        "The request failed for a reason on our side. It is safe to retry with the same Idempotency-Key.",
        { cause: error },
      );
