export { attemptIdOf, simulatedMessageId } from "./attempt-id.ts";
export * from "./types.ts";
export type { Callback, CallbackItem, CallbackRequest, Report, Verdict } from "./callbacks.ts";
export { callbackUrl, isCallbackToken } from "./callback-address.ts";
export {
  GatewayRefused,
  type Declaration,
  type GatewayKind,
  type InboundReading,
  type InboundRequest,
  type Secrets,
} from "./descriptor.ts";
export { isSameConfig } from "./configuration.ts";
export {
  configured,
  createGateway,
  declaredGateways,
  kindOf,
  mailTaker,
  needsNewConnection,
  parseInbound,
  playedReceipts,
  previewOf,
  hasMailDomain,
  providerIdKeys,
  reaching,
  receivedFileAddress,
  readCallback,
  reconfigured,
  reportedPart,
  takesCallbacks,
  takesInbound,
  tellsLater,
  toldThrough,
  type CalledGateway,
  type MailTaker,
  verifyCallback,
} from "./registry.ts";
export { meansOf, type Means } from "./means.ts";
export { NoReceivedFile, type AskProvider, type FileAddress } from "./received-file.ts";
export { paced, throughFault, throughOf } from "./through.ts";
export { bytesOf } from "./kept-bytes.ts";
export { unsubscribeSubject } from "./smtp/headers.ts";
export { readUnsubscribeToken, unsubscribeLink, unsubscribeToken } from "./unsubscribe-link.ts";
export { nameOfPart } from "./smtp/part-name.ts";
export { deliveredTo, deliveredUrl } from "./delivered-mail.ts";
export {
  maxCallbackBytes,
  isRecorded,
  recordCallback,
  storedCallback,
  type ReceivedCallback,
} from "./record-callback.ts";
export { movesOf, type Moves, recordMove } from "./record-move.ts";
export { type Posted, receivedFileId, recordInbound } from "./record-inbound.ts";
export { recordReceipts, recordUnmatched, type ReceiptSource } from "./record-receipts.ts";
