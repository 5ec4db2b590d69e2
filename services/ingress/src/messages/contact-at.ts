import type { SendMessage } from "@heliograph/acceptance";
import { externalIdName } from "@heliograph/channels";
import { type EventData, streamOf } from "@heliograph/contracts";
import { holdersOf, isZone } from "@heliograph/domain";
import { erasedText } from "@heliograph/vault";
import type { Sender } from "./sender.ts";

type Recipient = Pick<EventData<"MessageRequested">, "channel" | "to">;

/** The contact that has the address of a send now. */
export async function contactAt(
  { log, vault }: Sender["deps"],
  partner: string,
  { channel, to }: Recipient,
): Promise<string | undefined> {
  const name = externalIdName(vault, partner, { source: channel, id: to });
  const stream = streamOf("external", `id-${name}`);
  const [last] = await log.readStream(stream, { backwards: true, limit: 1 });
  return last?.type === "ExternalIdClaimed" ? last.data.contact_id : undefined;
}

/** The zone of that contact's clocks, where it is known and nobody named one for the message. */
export async function contactZone(
  { deps, partner: { partner_id: partner } }: Sender,
  { channel, quiet_hours }: SendMessage,
  to: string,
): Promise<string | undefined> {
  if (quiet_hours?.zone !== undefined) return undefined;
  const id = await contactAt(deps, partner, { channel, to });
  const holder = id === undefined ? undefined : (await holdersOf(deps.log, [id])).get(id);
  if (holder === undefined || holder.erased || holder.profile === null) return undefined;
  const text = (await deps.vault.open(partner, holder.profile))(holder.profile);
  if (text === erasedText) return undefined;
  const { time_zone: zone } = JSON.parse(text) as { readonly time_zone?: unknown };
  return typeof zone === "string" && isZone(zone) ? zone : undefined;
}
