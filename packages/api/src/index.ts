export { isWithin, networkOf, parseBlock, placeOf } from "./addresses.ts";
export { AddressRefused, createDial, dialAs, dialTarget } from "./dial/dial.ts";
export type { Dial, DialOptions, DialTarget } from "./dial/dial.ts";
export { getOnce, type OneAnswer } from "./dial/get-once.ts";
export { createAddressGuard } from "./dial/guard.ts";
export { localAddresses } from "./dial/resolve.ts";
export { AsOf, lookBack, notAsOf } from "./as-of.ts";
export { appendOne, changeOnce, maxConflicts, tooManyChanges } from "./append.ts";
export {
  explainedOr,
  explainField,
  ExplainQuery,
  FieldExplanation,
  reasonOf,
  whatHappened,
} from "./explain.ts";
export { unknownActor } from "./audited.ts";
export { BodyBudget, type BodyHold, type BodyLimits } from "./body-budget.ts";
export { readBody } from "./body.ts";
export {
  attachmentLink,
  isSigned,
  linkLives,
  signLink,
  withLinks,
  type LinkMaker,
} from "./attachment-links.ts";
export { blocksOf, endOf, hasScope, keyEnded } from "./authenticate.ts";
export { Call, originOf, originOfLinks } from "./call.ts";
export { readCell, readTyped, writeCell } from "./cells.ts";
export { fingerprint } from "./canonical.ts";
export {
  type ApiContext,
  type ApiDeps,
  type AuditEntry,
  type EnvironmentDeps,
  type PartnerRecord,
} from "./context.ts";
export { decodeCursor, encodeCursor } from "./cursor.ts";
export { FailedTries } from "./failed-tries.ts";
export { etagOf, etagOfBody, requireMatch } from "./etag.ts";
export { parseIdempotencyKey } from "./idempotency-key.ts";
export { parseJson } from "./json.ts";
export { answersUnderKeys } from "./kept-answers.ts";
export {
  inProgress,
  keyReused,
  messageOfKey,
  replayedHeader,
  requireSameRequest,
} from "./idempotency.ts";
export { refusalsOfKeys } from "./taken-keys.ts";
export { type Located, listAcross } from "./list-across.ts";
export { ListQuery, type Page, listBody, listOf, pageOf, slicePage } from "./listing.ts";
export { machinery } from "./machinery.ts";
export { buildDocument } from "./openapi.ts";
export { onBehalfHeader, onBehalfOf } from "./on-behalf.ts";
export { openedFor } from "./opened.ts";
export { appendPlatform, created, showsSecrets, untilInEffect } from "./platform.ts";
export { Problem } from "./problem-schema.ts";
export { asPublicError, errorsPath, problemOf } from "./problem.ts";
export { seenUntil } from "./projection.ts";
export { amongAll } from "./unseen.ts";
export { type ProjectionView, readProjections } from "./projections.ts";
export { orNone, reachable, requireReach } from "./reach.ts";
export { Allowance } from "./limits/allowance.ts";
export { openCountersOf } from "./limits/counters.ts";
export { type Policy } from "./limits/policies.ts";
export { requestId } from "./request-id.ts";
export { type Answer, type Route, route, streamed } from "./route.ts";
export { Router } from "./router.ts";
export { sendStream } from "./send-stream.ts";
export { requireSandbox } from "./sandbox.ts";
export { partnerIn } from "./space.ts";
export { type Serving, serveApi } from "./serve.ts";
export { type Listening, createApp, listen } from "./server.ts";
export { hostService } from "./service-routes.ts";
export { type Hosted, type Service, hosted, routesOf } from "./service.ts";
export { type FindSession, type SessionRecord } from "./session-record.ts";
export { notValid, unknownField, validate } from "./validate.ts";
export { anotherName } from "./deprecation.ts";
export { TimeInput, givenOnce, listed, queryInt, timeOf } from "./inputs.ts";
export { stillAllowed, whileAllowed } from "./still-allowed.ts";
export { waitSeconds } from "./prefer.ts";
export { type Web, type WebContext } from "./web.ts";
