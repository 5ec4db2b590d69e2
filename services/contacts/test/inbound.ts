import { externalIdName } from "@heliograph/channels";
import {
  type Channel,
  type EventData,
  deterministicId,
  streamOf,
  uuid5,
  uuid7,
} from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import type { ServiceContext } from "@heliograph/runtime";

export type Written = {
  readonly from: string;
  readonly text?: string;
  readonly to?: string;
  readonly profile_name?: string;
  readonly unverified?: boolean;
  /** What the provider calls it; posted again it is the same. */
  readonly provider_message_id?: string;
  readonly gateway_id?: string;
  readonly channel?: Channel;
  /** What came beside it. */
  readonly files?: EventData<"InboundReceived">["files"];
  /** As a gateway of this kind posts it, in place of all that. */
  readonly raw?: { readonly kind: string; readonly body: object };
};

const gateway = deterministicId("gtw", "test");
/** Posts what a person wrote, as the gateway's part of the platform stores it. Without a partner it is whose the address is. */
export async function postInbound(
  { log, vault }: Pick<ServiceContext, "log" | "vault">,
  partner: string | undefined,
  { gateway_id = gateway, channel = "sms", raw, files, ...written }: Written,
): Promise<{ readonly inboundId: string; readonly messageId: string }> {
  const said = { to: "+15550109999", text: "hello", provider_message_id: uuid7(), ...written };
  const parts = [gateway_id, partner ?? "", said.provider_message_id];
  const inboundId = deterministicId("inb", ...parts);
  const messageId = deterministicId("msg", ...parts);
  const owner = externalIdName(vault, partner ?? "", { source: channel, id: said.from });
  const subject = { partner: partner ?? "", subject: inboundId, owners: [owner] };
  const seal = await vault.seal(subject);
  const data: EventData<"InboundReceived"> = {
    inbound_id: inboundId,
    message_id: messageId,
    gateway_id,
    gateway_kind: raw?.kind ?? "simulator",
    channel,
    provider_message_id: said.provider_message_id,
    ...(partner !== undefined && { partner_id: partner }),
    content_type: "application/json",
    raw: seal(JSON.stringify(raw?.body ?? said)),
    encoding: "text",
    ...(files !== undefined && { files }),
    received_at: new Date().toISOString(),
  };
  const event = {
    id: uuid5(inboundId, "InboundReceived"),
    type: "InboundReceived",
    data,
    metadata: partner === undefined ? {} : { partner },
  };
  await log.append([
    { stream: streamOf("inbound", inboundId), expected: "no_stream", events: [event] },
  ]);
  return { inboundId, messageId };
}

/** What became of it, opened; undefined before it is matched. */
export async function matchedOf(
  { log, vault }: Pick<ServiceContext, "log" | "vault">,
  inboundId: string,
): Promise<EventData<"InboundMatched"> | undefined> {
  const events: readonly RecordedEvent[] = await log.readStream(streamOf("inbound", inboundId));
  const matched = events.filter(({ type }) => type === "InboundMatched");
  if (matched.length > 1) throw new Error(`${inboundId}: matched ${matched.length} times`);
  const [event] = matched;
  if (event?.type !== "InboundMatched") return undefined;
  return (await vault.open(undefined, event.data))(event.data);
}
