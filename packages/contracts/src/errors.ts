/** The one catalogue of public errors: code, HTTP status and title. What to do about each stands in `error-notes.ts`, from which its page is made. */
export const errorCatalogue = {
  invalid_request: { status: 422, title: "The request is not valid" },
  malformed_json: { status: 400, title: "The body is not valid JSON" },
  bad_request: { status: 400, title: "The request cannot be understood" },
  headers_too_large: { status: 431, title: "The headers are too large" },
  body_too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: { status: 415, title: "The content type is not supported" },
  request_timeout: { status: 408, title: "The request did not arrive in time" },
  authentication_required: { status: 401, title: "Authentication is required" },
  invalid_key: { status: 401, title: "The API key is not valid" },
  key_revoked: { status: 401, title: "The API key was revoked or has expired" },
  invalid_token: { status: 401, title: "The token is not valid" },
  session_revoked: { status: 401, title: "The session has ended" },
  invalid_signature: { status: 401, title: "The signature is not valid" },
  invalid_credentials: { status: 401, title: "The credentials are not valid" },
  totp_required: { status: 401, title: "A code is needed" },
  insufficient_scope: { status: 403, title: "The API key or the role lacks a scope" },
  partner_suspended: { status: 403, title: "The partner is suspended" },
  partner_moved: { status: 410, title: "The partner lives in another installation" },
  partner_moving: { status: 503, title: "The partner is being moved" },
  ip_not_allowed: { status: 403, title: "The API key may not be used from this address" },
  not_found: { status: 404, title: "Not found" },
  method_not_allowed: { status: 405, title: "The method is not allowed here" },
  conflict: { status: 409, title: "The request conflicts with the current state" },
  precondition_failed: { status: 412, title: "It is not in the state that you saw" },
  external_id_taken: { status: 409, title: "Another contact has the external id" },
  contact_merged: { status: 409, title: "The contact was merged into another one" },
  contact_erased: { status: 410, title: "The contact was erased" },
  attachment_quota_exceeded: { status: 422, title: "The attachments take too much room" },
  attachment_pending: { status: 409, title: "The attachment is being fetched" },
  attachment_lost: { status: 410, title: "The attachment could not be had" },
  attachment_in_use: { status: 409, title: "Messages name the attachment" },
  link_not_valid: { status: 403, title: "The link is not valid" },
  link_expired: { status: 410, title: "The link has expired" },
  sequence_ahead: { status: 409, title: "The feed does not reach this sequence" },
  idempotency_in_progress: {
    status: 409,
    title: "The first request with this key is still running",
  },
  idempotency_key_reused: {
    status: 422,
    title: "The idempotency key was used for another request",
  },
  insufficient_funds: { status: 402, title: "The wallet does not cover the message" },
  spend_limit_reached: { status: 402, title: "The wallet may not spend more for now" },
  recipient_suppressed: { status: 422, title: "The recipient opted out" },
  country_not_allowed: { status: 422, title: "Nothing is sent to this country" },
  sender_not_allowed: { status: 422, title: "The sender is not taken in the country" },
  template_not_found: { status: 422, title: "The template does not exist" },
  template_variables_invalid: { status: 422, title: "The template's variables are not valid" },
  session_window_closed: { status: 422, title: "The person wrote too long ago" },
  channel_not_enabled: { status: 422, title: "The channel is not enabled" },
  no_price: { status: 422, title: "There is no price for the message" },
  feature_not_available: { status: 422, title: "The feature is not available yet" },
  clock_limit_reached: { status: 422, title: "The sandbox's clock goes no further" },
  rate_limited: { status: 429, title: "Too many requests" },
  log_unavailable: { status: 503, title: "The event log is not available" },
  overloaded: { status: 503, title: "The service has too much to do at the moment" },
  internal: { status: 500, title: "Something went wrong" },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof errorCatalogue;
export type FieldError = { readonly path: string; readonly code: string; readonly message: string };

/** A refusal with a message for the caller; what only the log may see goes into `cause`. */
export class PublicError extends Error {
  readonly code: ErrorCode;
  readonly errors: readonly FieldError[];
  readonly retryAfterSeconds: number | undefined;
  readonly extra: Readonly<Record<string, unknown>>;
  constructor(
    code: ErrorCode,
    detail: string,
    options: {
      errors?: readonly FieldError[];
      retryAfterSeconds?: number;
      extra?: Record<string, unknown>;
      cause?: unknown;
    } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "PublicError";
    this.code = code;
    this.errors = options.errors ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.extra = options.extra ?? {};
  }
  get status(): number {
    return errorCatalogue[this.code].status;
  }
}
