import {
  hasSecret,
  maskSecrets,
  wordsOf,
  type Environment,
  type EventData,
} from "@heliograph/contracts";
import type { Email } from "@heliograph/channels";
import type { ZodError } from "zod";
import {
  unreadable,
  type Callback,
  type CallbackAnswer,
  type Signer,
  type CallbackItem,
  type CallbackRequest,
  type Verdict,
} from "./callbacks.ts";
import { openedSecrets, sealedConfig } from "./configuration.ts";
import {
  GatewayRefused,
  type ConfigurationFault,
  type Declaration,
  type DelayedReceipt,
  type GatewayKind,
  type InboundReading,
  type InboundRequest,
  type Secrets,
} from "./descriptor.ts";
import { apns } from "./apns/index.ts";
import { broadcast } from "./broadcast/index.ts";
import { fcm } from "./fcm/index.ts";
import { http } from "./http/index.ts";
import { log } from "./log/index.ts";
import { simulator } from "./simulator/index.ts";
import { smpp } from "./smpp/index.ts";
import { smtp } from "./smtp/index.ts";
import { NoReceivedFile, type AskProvider, type FileAddress } from "./received-file.ts";
import { telegram } from "./telegram/index.ts";
import { twilio } from "./twilio/index.ts";
import { whatsapp } from "./whatsapp-cloud/index.ts";
import type { Attempt, DeclaringSettings, Gateway, GatewayConfig, GatewayTools } from "./types.ts";

/** Every kind with a provider of its own. One more is a folder and a line here. */
const ownKinds: readonly GatewayKind[] = [
  simulator,
  smtp,
  smpp,
  log,
  twilio,
  telegram,
  whatsapp,
  fcm,
  apns,
  http,
];
const keepLists = ownKinds.filter(({ keepsLists }) => keepsLists);

/** Those, and the one that goes through others. */
export const gatewayKinds: readonly GatewayKind[] = [...ownKinds, broadcast(keepLists)];

const byName = new Map(gatewayKinds.map((kind) => [kind.kind, kind]));

/** Throws GatewayRefused when this release does not know the kind. */
export function kindOf({ name, kind }: Pick<GatewayConfig, "name" | "kind">): GatewayKind {
  const found = byName.get(kind);
  if (found === undefined)
    throw refused(name, "kind", `there is no kind of gateway called ${kind}`);
  return found;
}

/** The kind of a gateway that may be where it is to be. In the sandbox these are only the ones that can reach nobody. Throws GatewayRefused. */
function kindInPlace(config: Omit<GatewayConfig, "secrets">): GatewayKind {
  const kind = kindOf(config);
  const { name, environment, channel } = config;
  if (!kind.environments.includes(environment))
    throw refused(name, "kind", `${environment} has no ${kind.kind} gateways`);
  if (!kind.channels.includes(channel))
    throw refused(name, "channel", `${kind.kind} does not carry ${channel}`);
  return kind;
}

/**
 * A configuration as it is stored: checked against its kind, each secret sealed under the platform's master key, none of them readable in the log. Throws GatewayRefused,
 * naming the gateway and what is wrong with it.
 */
export function configured(
  config: Omit<GatewayConfig, "secrets">,
  secrets: Secrets,
  masterKey: Buffer,
): GatewayConfig {
  const kind = kindInPlace(config);
  const { settings, secrets: known } = kind;
  for (const [field, schema, value] of [
    ["settings", settings, config.settings],
    ["secrets", known, secrets],
  ] as const) {
    const { error } = schema.safeParse(value, { error: wordsOf, reportInput: true });
    if (error !== undefined) throw faulty(config.name, field, error);
  }
  const fault = kind.fault?.(config.settings, secrets);
  if (fault !== undefined) throw misfitting(config.name, fault);
  return sealedConfig(config, secrets, masterKey);
}

/**
 * The same with some secrets given anew: null takes one away, and the others stay as they are sealed. Throws GatewayRefused; and when the master key is not the one that
 * sealed them.
 */
export const reconfigured = (
  config: GatewayConfig,
  changes: Readonly<Record<string, string | null>>,
  masterKey: Buffer,
): GatewayConfig => {
  const { secrets: _, ...readable } = config;
  const all = Object.entries({ ...openedSecrets(config, masterKey), ...changes });
  const left = all.filter((entry): entry is [string, string] => entry[1] !== null);
  const next = configured(readable, Object.fromEntries(left), masterKey);
  if (Object.keys(changes).length > 0 || config.secrets === undefined) return next;
  // What nobody gave anew keeps its seal, so that nothing seems to have changed.
  return { ...next, secrets: config.secrets };
};

const refused = (name: string, path: string, message: string): GatewayRefused =>
  new GatewayRefused(`gateway ${name}: ${message}`, { fault: { path, message } });

const misfitting = (name: string, fault: ConfigurationFault): GatewayRefused =>
  new GatewayRefused(`gateway ${name}: ${fault.path}: ${fault.message}`, { fault });

/** By the first of its faults. */
function faulty(name: string, field: string, { issues: [first] }: ZodError): GatewayRefused {
  const unknown = first!.code === "unrecognized_keys" ? first!.keys.slice(0, 1) : [];
  const path = [field, ...first!.path, ...unknown].join(".");
  const { message } = first!;
  return misfitting(name, { path, message });
}

/**
 * The only way to a gateway. In the sandbox it makes only what can reach nobody, whatever the configuration says: this is what
 * keeps test messages away from real people. Throws GatewayRefused.
 */
export function createGateway(
  environment: Environment,
  config: GatewayConfig,
  tools: GatewayTools,
): Gateway {
  if (config.environment !== environment)
    throw new GatewayRefused(
      `gateway ${config.name} belongs to ${config.environment}, not to ${environment}`,
    );
  const kind = kindInPlace(config);
  try {
    const declared = kind.declared?.(tools.declaring) ?? [];
    const { settings, secrets = {} } = kind.earlier?.(config.settings, declared) ?? {
      settings: config.settings,
      secrets: openedSecrets(config, tools.masterKey),
    };
    return kind.open({ ...config, settings }, secrets, tools);
  } catch (cause) {
    throw new GatewayRefused(`gateway ${config.name}: its configuration cannot work`, { cause });
  }
}

/** Whether a changed configuration needs a new connection; limits and weights change in place. */
export const needsNewConnection = (before: GatewayConfig, after: GatewayConfig): boolean =>
  before.kind !== after.kind ||
  before.channel !== after.channel ||
  JSON.stringify(before.settings) !== JSON.stringify(after.settings) ||
  JSON.stringify(before.secrets) !== JSON.stringify(after.secrets) ||
  kindOf(after).rebuiltBy.some((field) => before[field] !== after[field]);

/** The gateways that the settings of a process stand for, of every kind. */
export const declaredGateways = (
  settings: DeclaringSettings,
): readonly (Declaration & { readonly kind: string })[] =>
  gatewayKinds.flatMap(
    ({ kind, declared }) => declared?.(settings).map((item) => ({ ...item, kind })) ?? [],
  );

/**
 * The receipts that are played for an accepted attempt, where its kind of gateway has none of its own. `sentAt` (epoch ms) is when the acceptance was recorded. A broadcast
 * channel confirms nothing.
 */
export function playedReceipts(
  sent: Omit<EventData<"MessageResent">, "choice">,
  sentAt: number,
): readonly DelayedReceipt[] {
  const { channel, to } = sent.message;
  if (channel === "broadcast") return [];
  const attempt = {
    messageId: sent.message_id,
    attempt: sent.attempt,
    attemptId: sent.attempt_id,
    channel,
    to,
    gateway: sent.gateway,
    providerMessageId: sent.provider.message_id,
  };
  return byName.get(sent.gateway_kind)?.playedReceipts?.(attempt, sentAt) ?? [];
}

/** Whether the provider of such a gateway calls us by HTTP. */
export function takesCallbacks({
  kind,
  settings,
}: Pick<GatewayConfig, "kind" | "settings">): boolean {
  const callbacks = byName.get(kind)?.callbacks;
  return callbacks?.verify !== undefined && (callbacks.calls?.(settings) ?? true);
}

/** Whether a provider of this kind tells later what became of a message that it took. */
export const tellsLater = (kind: string): boolean => byName.get(kind)?.callbacks !== undefined;

/** Of configurations whose providers have called: opening them costs as much as to verify with them. */
const opened = new WeakMap<GatewayConfig, { readonly by: Buffer; readonly secrets: Secrets }>();

function secretsOf(config: GatewayConfig, masterKey: Buffer): Secrets {
  const known = opened.get(config);
  if (known !== undefined && known.by === masterKey) return known.secrets;
  const secrets = openedSecrets(config, masterKey);
  opened.set(config, { by: masterKey, secrets });
  return secrets;
}

/** Whether a request is the provider's, and what it is to hear. Throws when the configuration cannot work. */
export function verifyCallback(
  config: GatewayConfig,
  request: CallbackRequest,
  masterKey: Buffer,
): { readonly verdict: Verdict; readonly answer: CallbackAnswer } {
  const { callbacks } = kindOf(config);
  if (callbacks?.verify === undefined)
    throw refused(config.name, "kind", `nobody calls a gateway of kind ${config.kind}`);
  const { settings } = config;
  const verdict = callbacks.verify(request, { settings, secrets: secretsOf(config, masterKey) });
  return { verdict, answer: callbacks.answer ?? { status: 200 } };
}

/** A gateway whose provider told something; `settings` as they are now, left out when it is gone. */
export type CalledGateway = Pick<GatewayConfig, "name" | "kind" | "channel"> &
  Partial<Pick<GatewayConfig, "settings">>;

/** What a callback tells: never throws, because what cannot be read is an item too. `signer` is the gateway that it came for. */
export async function readCallback(
  gateway: CalledGateway,
  callback: Callback,
  signer: Signer,
): Promise<readonly CallbackItem[]> {
  const { name, kind, channel, settings } = gateway;
  try {
    const { callbacks } = kindOf(gateway);
    return callbacks === undefined
      ? [{ kind: "unreadable", why: `nobody calls a gateway of kind ${kind}` }]
      : await callbacks.read(callback, { name, channel, ...signer }, settings);
  } catch (error) {
    return [unreadable(error)];
  }
}

/** Through what the provider of a gateway tells others of its kind as well: that through which a callback came, or all. The settings of a gateway are looked at once. */
export function toldThrough(
  { kind, settings }: Pick<CalledGateway, "kind" | "settings">,
  callback?: Callback,
): readonly string[] {
  const told = byName.get(kind)?.callbacks?.toldThrough;
  if (told === undefined || settings === undefined) return [];
  const named = (names: readonly string[]) => names.map((name) => `${kind} ${name}`);
  if (callback !== undefined) return named(told(settings, callback));
  let all = toldThroughOf.get(settings);
  if (all === undefined) toldThroughOf.set(settings, (all = named(told(settings))));
  return all;
}
/** By the settings, which are not changed in place. */
const toldThroughOf = new WeakMap<object, readonly string[]>();

/** What a provider's id of a message is found by; none for a kind that tells nothing of its messages later. */
export function providerIdKeys(
  { kind, settings }: Pick<CalledGateway, "kind" | "settings">,
  providerMessageId: string,
): readonly string[] {
  const callbacks = byName.get(kind)?.callbacks;
  if (callbacks === undefined) return [];
  return callbacks.idKeys?.(providerMessageId, settings) ?? [providerMessageId];
}

/** Which part of an accepted message a report is about; undefined where it is about the whole. */
export const reportedPart = (
  { kind, settings }: Pick<CalledGateway, "kind" | "settings">,
  accepted: string,
  reported: string,
): { readonly number: number; readonly of: number } | undefined =>
  byName.get(kind)?.callbacks?.partOf?.(accepted, reported, settings);

/** What the provider would be sent for an attempt, without secrets; undefined for a kind that shows nothing. */
export const previewOf = (config: GatewayConfig, attempt: Attempt): object | undefined =>
  kindOf(config).preview?.(attempt, config);

/**
 * Those of the gateways of a channel whose providers know the recipient; all of them where none does, so that the one which is asked says so. A push goes to a token that one of two providers has given.
 */
export function reaching<Item extends { readonly config: Pick<GatewayConfig, "kind"> }>(
  gateways: readonly Item[],
  to: string,
): readonly Item[] {
  if (gateways.length < 2) return gateways;
  const fits = ({ config }: Item): boolean => byName.get(config.kind)?.reaches?.(to) ?? true;
  if (gateways.every(fits)) return gateways;
  const found = gateways.filter(fits);
  return found.length === 0 ? gateways : found;
}

/** A mail's recipient whose mail we take, and the gateway that it is for. */
export type MailTaker = { readonly gateway: GatewayConfig; readonly address: string };

/**
 * Whose mail it is that comes to an address: `isAssigned` tells whether an address of a gateway's was given to a partner, which counts before what any gateway takes by its settings. Undefined for
 * nobody's.
 */
export function mailTaker(
  gateways: readonly GatewayConfig[],
  address: Email,
  masterKey: Buffer,
  isAssigned: (gatewayId: string, address: string) => boolean,
): MailTaker | undefined {
  const spellings = [address.address, address.address.toLowerCase()];
  const takers = gateways.filter(({ kind }) => byName.get(kind)?.takesMail !== undefined);
  for (const gateway of takers) {
    const own = spellings.find((each) => isAssigned(gateway.gateway_id, each));
    if (own !== undefined) return { gateway, address: own };
  }
  for (const gateway of takers) {
    const { gateway_id: gatewayId, kind, settings } = gateway;
    const own = byName.get(kind)!.takesMail!(address, { settings, gatewayId, masterKey });
    if (own !== undefined) return { gateway, address: own };
  }
  return undefined;
}

const domainsOf = new WeakMap<object, readonly string[]>();

/** Whether mail of the gateway may come back to an address of a domain. Read once of the same settings: it is asked of every gateway for each mail. */
export function hasMailDomain(
  { kind, settings }: Pick<GatewayConfig, "kind" | "settings">,
  domain: string,
): boolean {
  let domains = domainsOf.get(settings);
  if (domains === undefined)
    domainsOf.set(settings, (domains = byName.get(kind)?.mailDomains?.(settings) ?? []));
  return domains.includes(domain);
}

/** Whether people can answer through gateways of this kind. */
export const takesInbound = (kind: string): boolean => byName.get(kind)?.inbound !== undefined;

/**
 * Reads what a provider told of a person, from the bytes as they are stored. Pure. Throws GatewayRefused for a kind through which nobody answers, or that this release does
 * not know, and an error for bytes that are nothing of the kind.
 */
export async function parseInbound(kind: string, request: InboundRequest): Promise<InboundReading> {
  const { inbound } = kindOf({ name: request.gateway.name, kind });
  if (inbound === undefined)
    throw new GatewayRefused(
      `gateway ${request.gateway.name}: nobody answers through a gateway of kind ${kind}`,
    );
  return masked(await inbound(request));
}

/** Where a file is that a person sent through a gateway. Throws NoReceivedFile, whose message has no secret in it. */
export async function receivedFileAddress(
  config: GatewayConfig,
  masterKey: Buffer,
  file: string,
  ask: AskProvider,
): Promise<FileAddress> {
  const { fileOf } = kindOf(config);
  if (fileOf === undefined)
    throw new NoReceivedFile("gone", `nobody gives files out for a gateway of kind ${config.kind}`);
  const { settings } = config;
  return fileOf(file, { settings, secrets: secretsOf(config, masterKey) }, ask);
}

/** Keys of ours are not seen in the bytes of every encoding: what is read from them is looked at once more. */
function masked(reading: InboundReading): InboundReading {
  const text = JSON.stringify(reading);
  return hasSecret(text) ? (JSON.parse(maskSecrets(text)) as InboundReading) : reading;
}
