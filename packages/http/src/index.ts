export { drain, readBody, requireJson } from "./body.ts";
export { decodeCursor, encodeCursor } from "./cursor.ts";
export { parseIdempotencyKey } from "./idempotency-key.ts";
export { parseJson } from "./json.ts";
export { type Problem, asPublicError, docsUrl, problemOf } from "./problem.ts";
export { type Limit, RateLimiter, type Verdict } from "./rate-limit.ts";
export { requestId } from "./request-id.ts";
export { type Match, Router } from "./router.ts";
export { type Listening, createApp, listen } from "./server.ts";
