import type { z } from "zod";
import type { EventDefinition } from "../define.ts";
import * as earlier from "./earlier.ts";
import * as endpoint from "./endpoint.ts";
import * as gateway from "./gateway.ts";
import * as key from "./key.ts";
import * as message from "./message.ts";
import * as partner from "./partner.ts";
import * as prices from "./prices.ts";
import * as receipts from "./receipts.ts";
import * as template from "./template.ts";
import * as topup from "./topup.ts";
import * as wallet from "./wallet.ts";

const isDefinition = (value: object): value is EventDefinition =>
  "schema" in value && "version" in value && "type" in value;

/** One file for each category of streams. Their order is that of the generated lists. */
const modules = {
  ...message,
  ...receipts,
  ...wallet,
  ...topup,
  ...template,
  ...endpoint,
  ...partner,
  ...key,
  ...gateway,
  ...prices,
};

/** Every event definition, one per type and version. */
export const eventDefinitions: readonly EventDefinition[] = (
  [...Object.values(modules), ...Object.values(earlier)] as object[]
).filter(isDefinition);

/** The version in which events of this type are written now. */
export const currentVersion = (type: EventType): number => modules[type].version;

type Definitions = {
  [
    Key in keyof typeof modules as (typeof modules)[Key] extends EventDefinition ? Key : never
  ]: (typeof modules)[Key];
};

/** The data of the current version of an event type: `EventData<"MessageSent">`. */
export type EventData<Type extends keyof Definitions> =
  Definitions[Type] extends EventDefinition<string, infer Schema> ? z.infer<Schema> : never;
export type EventType = keyof Definitions;

export { channels, type Channel, type Failure, type MessageContext } from "./common.ts";
export type { Content, GatewayChoice, Segments } from "./message.ts";
