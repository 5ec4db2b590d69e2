import type { StoredMedia } from "@heliograph/acceptance";
import type { Call } from "@heliograph/api";
import { externalIdName } from "@heliograph/channels";
import { type EventData, streamOf } from "@heliograph/contracts";
import { erasedText } from "@heliograph/vault";
import { ownerlessAttachments, readyAttachments } from "../tables/attachments.ts";

type Requested = EventData<"MessageRequested">;
/** Among the owners of a file that was sent to somebody who is no contact: nobody's erasure takes it. */
const nobody = "nobody";

/** The caller's attachments among these, but for those that were erased with their contact. */
export async function findAttachments(
  { deps, partner }: Call,
  ids: readonly string[],
): Promise<ReadonlyMap<string, StoredMedia>> {
  const rows = await readyAttachments(deps.pool, partner.partner_id, ids);
  const open = await deps.vault.open(partner.partner_id, rows);
  return new Map(
    open(rows)
      .filter(({ key }) => key !== erasedText)
      .map(({ id, name, type, bytes }) => [id, { name, type, bytes }]),
  );
}

/**
 * Gives files that were uploaded for no contact to the contacts they are sent to: they go once all of these are erased. Before the messages are stored, so that none is sent that an
 * erasure does not find.
 */
export async function giveFiles(
  { deps, partner }: Call,
  requests: readonly Requested[],
): Promise<void> {
  const owners = new Map<string, Set<string>>();
  for (const request of requests) {
    const ids = (request.content.media ?? []).flatMap(({ attachment_id: id }) => id ?? []);
    if (ids.length === 0) continue;
    const owner = request.contact_id ?? (await contactAt(deps, partner.partner_id, request));
    for (const id of ids) owners.set(id, (owners.get(id) ?? new Set()).add(owner ?? nobody));
  }
  if (owners.size === 0) return;
  // One after the other: two sends of the same files in two orders cannot wait for each other.
  for (const id of await ownerlessAttachments(deps.pool, partner.partner_id, [...owners.keys()]))
    await deps.vault.share(partner.partner_id, id, [...owners.get(id)!]);
}

/** The contact that has the address of a send now. */
async function contactAt(
  { log, vault }: Call["deps"],
  partner: string,
  { channel, to }: Requested,
): Promise<string | undefined> {
  const name = externalIdName(vault, partner, { source: channel, id: to });
  const stream = streamOf("external", `id-${name}`);
  const [last] = await log.readStream(stream, { backwards: true, limit: 1 });
  return last?.type === "ExternalIdClaimed" ? last.data.contact_id : undefined;
}
