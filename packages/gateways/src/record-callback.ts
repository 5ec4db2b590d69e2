import { hash } from "node:crypto";
import {
  type EventData,
  failpoint,
  maskSecrets,
  newId,
  streamOf,
  uuid5,
} from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import type { Seal, Vault } from "@heliograph/vault";
import type { Callback } from "./callbacks.ts";
import { bytesOf, keep } from "./kept-bytes.ts";
import type { GatewayConfig } from "./types.ts";

/** More than any provider posts at once: Meta's bodies, the largest, have 3 MB at most and a few KB as a rule. */
export const maxCallbackBytes = 1_000_000;
/** What the event has room for. */
const maxUrl = 8_000;
const maxHeaders = 20_000;

/** Credentials have no place in history: those of whoever stands in front of us, and those by which a provider without a signature shows who it is. */
const notKept = /authorization|cookie|secret|token/;

export type ReceivedCallback = Callback & {
  readonly gateway: Pick<GatewayConfig, "gateway_id" | "name" | "kind" | "channel">;
  readonly files?: EventData<"CallbackReceived">["files"];
  /** It came over a connection, where two alike are two: nothing tells them from one that came twice. */
  readonly alwaysNew?: true;
  /** It is one of a round, and more wait for theirs. */
  readonly crowded?: boolean;
};

/** The name of a callback, which another delivery of the same has too. */
const callbackIdOf = (
  vault: Pick<Vault, "name">,
  { gateway, url, body }: Pick<ReceivedCallback, "gateway" | "url" | "body">,
): string => `cbk_${vault.name("callback", gateway.gateway_id, url, hash("sha256", body, "hex"))}`;

/** Whether it is stored already. It may be a moment later: `recordCallback` says so then. */
export async function isRecorded(
  {
    log,
    vault,
  }: { readonly log: Pick<EventLog, "readStream">; readonly vault: Pick<Vault, "name"> },
  callback: Pick<ReceivedCallback, "gateway" | "url" | "body">,
): Promise<boolean> {
  const stream = streamOf("callback", callbackIdOf(vault, callback));
  return (await log.readStream(stream, { limit: 1 })).length > 0;
}

/**
 * Stores what a provider sent as it came, once however often it is posted; durable when this resolves, with whether it was there before. It is sealed under a key of the record, which becomes that of the people it
 * is about once it is read. Throws LogUnavailable; repeating the call is safe.
 */
export async function recordCallback(
  { log, vault }: { readonly log: Pick<EventLog, "append">; readonly vault: Vault },
  {
    gateway,
    url,
    headers,
    contentType,
    body,
    receivedAt,
    alwaysNew,
    crowded,
    files,
  }: ReceivedCallback,
): Promise<"stored" | "known"> {
  const callbackId = alwaysNew ? newId("cbk") : callbackIdOf(vault, { gateway, url, body });
  const seal = await vault.seal({ partner: "", subject: callbackId, owners: [] });
  const { raw, encoding } = keep(body);
  const kept = Object.entries(headers).filter(([name]) => !notKept.test(name));
  const data: EventData<"CallbackReceived"> = {
    callback_id: callbackId,
    gateway_id: gateway.gateway_id,
    gateway: gateway.name,
    gateway_kind: gateway.kind,
    channel: gateway.channel,
    url: seal(maskSecrets(url).slice(0, maxUrl)),
    headers: seal(maskSecrets(JSON.stringify(Object.fromEntries(kept))).slice(0, maxHeaders)),
    content_type: contentType.slice(0, 255),
    raw: seal(raw),
    encoding,
    ...(files !== undefined && { files: sealedFiles(files, seal) }),
    received_at: receivedAt,
  };
  const event = {
    id: uuid5(callbackId, "CallbackReceived"),
    type: "CallbackReceived",
    data,
    metadata: { actor: `gateway:${gateway.name}`, correlation: callbackId },
  };
  await failpoint("callbacks.before_append");
  const [outcome] = await log.append([
    {
      stream: streamOf("callback", callbackId),
      expected: "no_stream",
      events: [event],
      ...(crowded === true && { crowded }),
    },
  ]);
  await failpoint("callbacks.after_append");
  if (outcome!.kind === "invalid") throw new Error(`CallbackReceived: ${outcome!.message}`);
  return outcome!.kind === "appended" ? "stored" : "known";
}

/** As an event holds them: their names are a person's words. */
export const sealedFiles = (
  files: NonNullable<EventData<"CallbackReceived">["files"]>,
  seal: Seal,
): NonNullable<EventData<"CallbackReceived">["files"]> =>
  files.map((file) => ({ ...file, ...(file.name !== undefined && { name: seal(file.name) }) }));

/** A stored callback, its texts opened; `undefined` headers of one that was cut off are none. */
export function storedCallback(data: EventData<"CallbackReceived">): Callback {
  return {
    url: data.url,
    headers: headersIn(data.headers),
    contentType: data.content_type,
    body: bytesOf(data),
    receivedAt: data.received_at,
  };
}

function headersIn(text: string): Callback["headers"] {
  try {
    return JSON.parse(text) as Callback["headers"];
  } catch {
    return {};
  }
}
