import { channelModule } from "@heliograph/channels";
import { streamOf } from "@heliograph/contracts";
import { bytesOf, parseInbound } from "@heliograph/gateways";
import type { RecordedEvent } from "@heliograph/log";
import { isMachinery, type ServiceContext } from "@heliograph/runtime";
import { erasedText } from "@heliograph/vault";

type Received = RecordedEvent<"MessageReceived">;

/**
 * The other address of whoever wrote, where the provider names one beside it, as WhatsApp does a number and a user id. Undefined once it is erased, and where this release cannot read what
 * came: what is said of the first address counts without it.
 */
export async function aliasOf(
  context: Pick<ServiceContext, "log" | "vault" | "logger">,
  event: Received,
): Promise<string | undefined> {
  if (event.data.channel !== "whatsapp") return undefined;
  try {
    return await readAlias(context, event);
  } catch (error) {
    if (isMachinery(error)) throw error;
    const { inbound_id } = event.data;
    context.logger.warn({ err: error, inbound: inbound_id }, "second address not read");
    return undefined;
  }
}

async function readAlias(
  { log, vault }: Pick<ServiceContext, "log" | "vault">,
  { data: { channel, inbound_id, provider } }: Received,
): Promise<string | undefined> {
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
