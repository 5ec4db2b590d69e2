import type { Failure } from "@heliograph/contracts";
import type { CallbackItem } from "@heliograph/gateways";
import type { RecordedEvent } from "@heliograph/log";
import type { ServiceContext } from "@heliograph/runtime";
import type { ProviderId } from "../tables/provider-ids.ts";

export type CallbackEvent = RecordedEvent<"CallbackReceived">;
export type Of<Kind extends CallbackItem["kind"]> = Extract<CallbackItem, { kind: Kind }>;

/** What reading takes. */
export type ReadingContext = Pick<
  ServiceContext,
  "environment" | "log" | "pool" | "vault" | "directory" | "masterKey"
>;

type Key = Pick<ProviderId, "gateway" | "key">;

/** Each key at each of the gateways. */
export const keysAt = (gateways: readonly string[], keys: readonly string[]): readonly Key[] =>
  gateways.flatMap((gateway) => keys.map((key) => ({ gateway, key })));

export const nameOf = ({ gateway, key }: Key): string => `${gateway}\u001f${key}`;

/** What failed names the gateway that the message was sent by, whichever of those that share its provider was told. */
export const saidBy = <Said extends { readonly error?: Failure | undefined }>(
  gateway: string,
  said: Said,
): Said =>
  said.error?.provider === undefined
    ? said
    : { ...said, error: { ...said.error, provider: { ...said.error.provider, name: gateway } } };
