import { channelModule } from "@heliograph/channels";
import { streamOf } from "@heliograph/contracts";
import { bytesOf, parseInbound } from "@heliograph/gateways";
import type { RecordedEvent } from "@heliograph/log";
import type { ServiceContext } from "@heliograph/runtime";
import { erasedText } from "@heliograph/vault";

/** The other address of whoever wrote, where the provider names one beside it, as WhatsApp does a number and a user id. Undefined once it is erased. */
export async function aliasOf(
  { log, vault }: Pick<ServiceContext, "log" | "vault">,
  { data: { channel, inbound_id, provider } }: RecordedEvent<"MessageReceived">,
): Promise<string | undefined> {
  if (channel !== "whatsapp") return undefined;
  const [first] = await log.readStream(streamOf("inbound", inbound_id), { limit: 1 });
  if (first?.type !== "InboundReceived") return undefined;
  const data = (await vault.open(undefined, first.data))(first.data);
  if (data.raw === erasedText) return undefined;
  const { alias } = await parseInbound(data.gateway_kind, {
    raw: bytesOf(data),
    contentType: data.content_type,
    files: data.files,
    gateway: { name: provider.gateway, channel },
  });
  const address = alias === undefined ? undefined : channelModule(channel).recipient(alias);
  return address?.kind === "read" ? address.value.to : undefined;
}
