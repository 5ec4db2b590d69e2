export * from "./bounded-cache.ts";
export * from "./billed.ts";
export { carries } from "./carries.ts";
export * from "./characters.ts";
export { canonicalLanguage } from "./language.ts";
export * from "./failover-events.ts";
export * from "./failover.ts";
export { isQuiet, quietUntil, zonesOf } from "./quiet-hours.ts";
export * from "./message.ts";
export * from "./message-views.ts";
export * from "./prices.ts";
export { maxPriceListBytes, PriceEntries, repeatedEntries } from "./price-entries.ts";
export { RoutingRule, RoutingRules, routingFaults } from "./routing-rules.ts";
export * from "./status.ts";
export * from "./template-stream.ts";
export * from "./template-refusals.ts";
export * from "./templates.ts";
export * from "./time.ts";
export * from "./working-hours.ts";
export * from "./wallet.ts";
export * from "./wallet-decision.ts";
export * from "./ledger.ts";
export * from "./lifecycle.ts";
export { isEndpointNotice, type EndpointNotice } from "./lifecycle-endpoint.ts";
export { lifecycleData } from "./lifecycle-data.ts";
export * from "./lifecycle-schema.ts";
export {
  type AsksPool,
  chooseSender,
  defaultPool,
  isCarried,
  namedPool,
  poolOfInbox,
  type SenderPool,
} from "./sender-pools.ts";
export {
  gatewayFault,
  type GatewaySender,
  senderFault,
  type SenderFault,
  SenderRule,
  senderRuleFor,
  SenderRules,
  senderRulesFaults,
} from "./sender-rules.ts";
export * from "./sequencer.ts";
export * from "./sketch.ts";
export * from "./endpoint.ts";
export * from "./endpoint-filters.ts";
export {
  Message,
  MessageSegments,
  MessageSummary,
  Money,
  SenderPoolOfMessage,
  SenderRuleOfMessage,
  Time,
} from "./message-schema.ts";
export * from "./conversation-schema.ts";
export * from "./conversation-view.ts";
export { withFiles } from "./received-file.ts";
export * from "./suppression.ts";
export { readMessage } from "./read-message.ts";
export * from "./thread.ts";
export { type FoundConversation, readConversation } from "./thread-read.ts";
export { replyEvents } from "./thread-reply.ts";
export { type Holder, holdersOf, partsOf } from "./contact-holder.ts";
