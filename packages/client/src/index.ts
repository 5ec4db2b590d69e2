export type { Bytes, CommonOptions, Listing, Options } from "./calls.ts";
export { heliograph, type ClientOptions, type Heliograph } from "./client.ts";
export {
  AuthenticationError,
  ConflictError,
  ConnectionError,
  CursorError,
  HeliographError,
  InsufficientFundsError,
  InvalidRequestError,
  NotFoundError,
  NotModifiedError,
  PermissionError,
  PreconditionFailedError,
  ProblemError,
  RateLimitedError,
  ServerError,
  TimeoutError,
  WebhookVerificationError,
} from "./errors.ts";
export { isEvent } from "./events.ts";
export type { FollowOptions, FollowState } from "./feed.ts";
export type { Operations } from "./made/surface.ts";
export type * from "./made/types.ts";
export { answerInfo, type AnswerInfo } from "./transport.ts";
export { signWebhook, verifyWebhook, verifyWebhookBatch, type WebhookHeaders } from "./webhooks.ts";
