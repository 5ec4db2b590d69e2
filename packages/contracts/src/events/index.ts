import type { z } from "zod";
import type { EventDefinition } from "../define.ts";
import type { Category } from "../ids.ts";
import * as affinity from "./affinity.ts";
import * as audit from "./audit.ts";
import * as agent from "./agent.ts";
import * as broadcast from "./broadcast.ts";
import * as callback from "./callback.ts";
import * as contact from "./contact.ts";
import * as conversation from "./conversation.ts";
import * as evaluation from "./evaluation.ts";
import * as external from "./external.ts";
import * as imports from "./import.ts";
import * as inbound from "./inbound.ts";
import * as login from "./login.ts";
import * as presence from "./presence.ts";
import * as rota from "./rota.ts";
import * as sender from "./sender.ts";
import * as clock from "./clock.ts";
import * as sandbox from "./sandbox.ts";
import * as session from "./session.ts";
import * as suppression from "./suppression.ts";
import * as team from "./team.ts";
import * as thread from "./thread.ts";
import * as earlier from "./earlier.ts";
import * as endpoint from "./endpoint.ts";
import * as feed from "./feed.ts";
import * as file from "./file.ts";
import * as gateway from "./gateway.ts";
import * as hold from "./hold.ts";
import * as key from "./key.ts";
import * as message from "./message.ts";
import * as moved from "./moved.ts";
import * as pool from "./pool.ts";
import * as partner from "./partner.ts";
import * as prices from "./prices.ts";
import * as receipts from "./receipts.ts";
import * as template from "./template.ts";
import * as terms from "./terms.ts";
import * as topup from "./topup.ts";
import * as unmatched from "./unmatched.ts";
import * as wallet from "./wallet.ts";

const isDefinition = (value: object): value is EventDefinition =>
  "schema" in value && "version" in value && "type" in value;

/** One file for each category of streams. Their order is that of the generated lists. */
const modules = {
  ...message,
  ...receipts,
  ...wallet,
  ...topup,
  ...terms,
  ...hold,
  ...template,
  ...endpoint,
  ...feed,
  ...partner,
  ...key,
  ...gateway,
  ...prices,
  ...inbound,
  ...external,
  ...contact,
  ...imports,
  ...conversation,
  ...thread,
  ...team,
  ...presence,
  ...session,
  ...suppression,
  ...agent,
  ...login,
  ...sender,
  ...pool,
  ...affinity,
  ...clock,
  ...sandbox,
  ...audit,
  ...evaluation,
  ...rota,
  ...callback,
  ...unmatched,
  ...broadcast,
  ...moved,
  ...file,
};

/** Every event definition, one per type and version. */
export const eventDefinitions: readonly EventDefinition[] = (
  [...Object.values(modules), ...Object.values(earlier)] as object[]
).filter(isDefinition);

/** The version in which events of this type are written now. */
export const currentVersion = (type: EventType): number => modules[type].version;

type DefinitionsIn<Module> = {
  [Key in keyof Module as Module[Key] extends EventDefinition ? Key : never]: Module[Key];
};
type Definitions = DefinitionsIn<typeof modules>;

/** By the category of the streams that they stand in. */
const byCategory = {
  message,
  receipts,
  wallet,
  topup,
  terms,
  hold,
  template,
  endpoint,
  feed,
  partner,
  key,
  gateway,
  prices,
  inbound,
  external,
  contact,
  import: imports,
  conversation,
  thread,
  team,
  presence,
  session,
  suppression,
  agent,
  login,
  sender,
  pool,
  affinity,
  clock,
  sandbox,
  audit,
  evaluation,
  rota,
  callback,
  unmatched,
  broadcast,
  moved,
  file,
};
type Categories = typeof byCategory;

/** The types of the events of one category; undefined where it has none of its own. */
export const typesIn = (category: Category): readonly EventType[] | undefined =>
  Object.hasOwn(byCategory, category)
    ? Object.values<object>(byCategory[category as keyof Categories])
        .filter(isDefinition)
        .map(({ type }) => type as EventType)
    : undefined;

/** The types of the events in streams of one category. */
export type EventTypeOf<Name extends Category> = Name extends keyof Categories
  ? keyof DefinitionsIn<Categories[Name]> & EventType
  : EventType;

/** The data of the current version of an event type: `EventData<"MessageSent">`. */
export type EventData<Type extends keyof Definitions> =
  Definitions[Type] extends EventDefinition<string, infer Schema> ? z.infer<Schema> : never;
export type EventType = keyof Definitions;

/** One of these events as deciders and folds look at it: the type tells what the data are. */
export type TypedEvent<Type extends EventType = EventType> = {
  readonly [Each in Type]: { readonly type: Each; readonly data: EventData<Each> };
}[Type];

export {
  categories,
  channels,
  type Channel,
  type Failure,
  type MessageCategory,
  type MessageContext,
  maxAudienceAttributes,
  mostPoolSenders,
  senderTypes,
} from "./common.ts";
export { EndpointFilters } from "./endpoint.ts";
export { FailoverTrigger } from "./content.ts";
export { type LostFileReason, lostFileReasons } from "./file.ts";
export { gatewayTroubles } from "./gateway.ts";
export { receiptStatuses } from "./receipts.ts";
export type { WorkingHours } from "./team.ts";
export type { Content, FailoverStep, QuietHours, Replaced, Segments } from "./content.ts";
export type { GatewayChoice } from "./message.ts";
export type { Terms } from "./terms.ts";
