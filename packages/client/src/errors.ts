import type { Problem } from "./made/types.ts";

/** Everything that this client throws is one, except a caller's own abort reason and wrong arguments. */
export class HeliographError extends Error {
  override readonly name: string = "HeliographError";
}

/** No answer came: the network, or the time. Whether the platform did what was asked is not known, unless the call had an idempotency key and is repeated with it. */
export class ConnectionError extends HeliographError {
  override readonly name: string = "ConnectionError";
  readonly idempotencyKey: string | undefined;

  constructor(message: string, idempotencyKey?: string, options?: ErrorOptions) {
    super(message, options);
    this.idempotencyKey = idempotencyKey;
  }
}

export class TimeoutError extends ConnectionError {
  override readonly name: string = "TimeoutError";
}

/** What was asked with `ifNoneMatch` is still so. */
export class NotModifiedError extends HeliographError {
  override readonly name: string = "NotModifiedError";
}

/** A list that leads in a circle. */
export class CursorError extends HeliographError {
  override readonly name: string = "CursorError";
}

export class WebhookVerificationError extends HeliographError {
  override readonly name: string = "WebhookVerificationError";
}

/** What the answer says besides its body. */
export type Refusal = {
  readonly status: number;
  readonly problem: Partial<Problem>;
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;
};

/** The platform refused: `application/problem+json`. Decide by `code`. */
export class ProblemError extends HeliographError {
  override readonly name: string = "ProblemError";
  readonly status: number;
  readonly code: Problem["code"];
  readonly title: string;
  readonly detail: string | undefined;
  readonly errors: NonNullable<Problem["errors"]>;
  readonly requestId: string | undefined;
  readonly docUrl: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** The answer's whole problem, with what was added to it since this client was made. */
  readonly problem: Partial<Problem>;

  constructor({ status, problem, requestId, retryAfterMs }: Refusal) {
    const code = problem.code ?? `http_${status}`;
    const title = problem.title ?? `The answer was ${status}`;
    super(`${code} (${status}): ${problem.detail ?? title}`);
    this.status = status;
    this.code = code;
    this.title = title;
    this.detail = problem.detail;
    this.errors = problem.errors ?? [];
    this.requestId = problem.request_id ?? requestId;
    this.docUrl = problem.doc_url;
    this.retryAfterMs = retryAfterMs;
    this.problem = problem;
  }
}

/** 401: no key, a wrong one, one that was revoked. */
export class AuthenticationError extends ProblemError {
  override readonly name: string = "AuthenticationError";
}
/** 402. */
export class InsufficientFundsError extends ProblemError {
  override readonly name: string = "InsufficientFundsError";
}
/** 403: the key is good, and may not. */
export class PermissionError extends ProblemError {
  override readonly name: string = "PermissionError";
}
export class NotFoundError extends ProblemError {
  override readonly name: string = "NotFoundError";
}
/** 409. */
export class ConflictError extends ProblemError {
  override readonly name: string = "ConflictError";
}
/** 412: it has changed since `ifMatch` was read. */
export class PreconditionFailedError extends ProblemError {
  override readonly name: string = "PreconditionFailedError";
}
/** 400, 413, 415, 422: `errors` says where. */
export class InvalidRequestError extends ProblemError {
  override readonly name: string = "InvalidRequestError";
}
export class RateLimitedError extends ProblemError {
  override readonly name: string = "RateLimitedError";
}
/** 5xx. */
export class ServerError extends ProblemError {
  override readonly name: string = "ServerError";
}

const classes: Readonly<Record<number, typeof ProblemError>> = {
  400: InvalidRequestError,
  401: AuthenticationError,
  402: InsufficientFundsError,
  403: PermissionError,
  404: NotFoundError,
  409: ConflictError,
  412: PreconditionFailedError,
  413: InvalidRequestError,
  415: InvalidRequestError,
  422: InvalidRequestError,
  429: RateLimitedError,
};

/** A status that this client does not know is still an error with everything in it. */
export function problemError(refusal: Refusal): ProblemError {
  const known = classes[refusal.status] ?? (refusal.status >= 500 ? ServerError : ProblemError);
  return new known(refusal);
}
