import { channelModule, isWhatsappUserId } from "@heliograph/channels";
import { streamOf } from "@heliograph/contracts";
import { holdersOf } from "@heliograph/domain";
import { bytesOf, parseInbound } from "@heliograph/gateways";
import type { RecordedEvent } from "@heliograph/log";
import { isMachinery, type ServiceContext } from "@heliograph/runtime";
import { erasedText } from "@heliograph/vault";

type Received = RecordedEvent<"MessageReceived">;

/**
 * The other addresses of whoever wrote: the one that the provider names beside the first, as WhatsApp does a number and a user id, and where it names one alone those of the other kind that the
 * contact is known by. None once they are erased, and where this release cannot read what came: what is said of the first address counts without them.
 */
export async function otherAddresses(
  context: Pick<ServiceContext, "log" | "vault" | "logger">,
  event: Received,
  own: string,
): Promise<readonly string[]> {
  if (event.data.channel !== "whatsapp") return [];
  const alias = await unlessUnreadable(context, event, () => readAlias(context, event));
  const known = await knownBeside(context, event, own);
  return [...new Set([...(alias === undefined ? [] : [alias]), ...known])].filter(
    (address) => address !== own,
  );
}

async function unlessUnreadable<Value>(
  context: Pick<ServiceContext, "logger">,
  event: Received,
  read: () => Promise<Value>,
): Promise<Value | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isMachinery(error)) throw error;
    const { inbound_id } = event.data;
    context.logger.warn({ err: error, inbound: inbound_id }, "second address not read");
    return undefined;
  }
}

/** Of a user id the numbers of its contact, and of a number the user ids: two numbers may be two phones, of which one goes on. */
async function knownBeside(
  { log, vault }: Pick<ServiceContext, "log" | "vault">,
  { data: { channel, contact_id: contact }, metadata: { partner = "" } }: Received,
  own: string,
): Promise<readonly string[]> {
  const holder = (await holdersOf(log, [contact])).get(contact)!;
  if (holder.erased) return [];
  const sealed = holder.external_ids.filter(({ source }) => source === channel);
  const open = await vault.open(partner, sealed);
  return sealed
    .map((each) => open(each).id)
    .filter((id) => id !== erasedText && isWhatsappUserId(id) !== isWhatsappUserId(own));
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
