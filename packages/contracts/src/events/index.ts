import type { z } from "zod";
import type { EventDefinition } from "../define.ts";
import * as earlier from "./earlier.ts";
import * as message from "./message.ts";
import * as partnerFacing from "./partner-facing.ts";
import * as platform from "./platform.ts";
import * as wallet from "./wallet.ts";

const isDefinition = (value: object): value is EventDefinition =>
  "schema" in value && "version" in value && "type" in value;

const modules = { ...message, ...wallet, ...partnerFacing, ...platform };

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
