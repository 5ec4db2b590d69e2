import {
  channelModule,
  type ExternalIdRef,
  normalExternalId,
  sameRecipient,
} from "@heliograph/channels";
import type { Channel } from "@heliograph/contracts";
import { movesOf } from "@heliograph/gateways";
import type { ServiceContext } from "@heliograph/runtime";
import { named, ownerOf, readClaim } from "../claims.ts";
import { addExternalId } from "../commands.ts";
import type { Contact } from "../contact.ts";
import type { ContactsContext } from "../streams.ts";

/**
 * Who writes from an address that nobody has, and is known by the one that was written to, is that contact: it gets this one as well, so that its history and its answers stand together. Where it cannot
 * (it has too many), or another writer is at it, whoever writes becomes a contact as anybody does.
 */
export async function claimVariant(
  context: ContactsContext,
  channel: Channel,
  address: ExternalIdRef,
  alias: string | undefined,
): Promise<void> {
  const variants =
    channelModule(channel).moves === undefined
      ? [...(alias === undefined ? [] : [alias]), ...sameRecipient(channel, address.id)]
      : (await movesOf(context, { partner: context.partner, channel, address: address.id })).others;
  if (variants.length === 0) return;
  const holderOf = async (ref: ExternalIdRef) =>
    ownerOf(context, await readClaim(context.log, named(context, ref)));
  if ((await holderOf(address)).kind !== "free") return;
  for (const id of variants) {
    const holder = await holderOf({ source: address.source, id });
    if (holder.kind !== "held") continue;
    await addExternalId(context, holder.by.contact.contact_id, address);
    return;
  }
}

/** Gives the contact of who wrote the other address that its provider tells of him, unless somebody has it: then they stay two, and the log says which, for whoever is to merge them. */
export async function keepAlias(
  context: ContactsContext & Pick<ServiceContext, "logger">,
  contact: Contact,
  channel: Channel,
  alias: string | undefined,
): Promise<void> {
  const ref = alias === undefined ? undefined : normalExternalId(channel, alias);
  if (ref?.kind !== "read") return;
  const { name } = named(context, ref.value);
  if (contact.external_ids.some((each) => each.name === name)) return;
  const eventId = (of: string): string => context.eventId(`alias ${of}`);
  const kept = await addExternalId({ ...context, eventId }, contact.contact_id, ref.value);
  if (kept.kind !== "refused") return;
  const { code, extra } = kept.error;
  context.logger.info(
    { contact: contact.contact_id, code, ...extra },
    "the other address of a sender was not added to its contact",
  );
}
