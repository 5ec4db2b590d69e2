import { contactAt } from "./contact-at.ts";
import type { StoredMedia } from "@heliograph/acceptance";
import { notValid } from "@heliograph/api";
import type { EventData, PublicError } from "@heliograph/contracts";
import { overAt } from "@heliograph/domain";
import { erasedText } from "@heliograph/vault";
import type { Sender } from "./sender.ts";
import { markSent, readyAttachments } from "../tables/attachments.ts";

type Requested = EventData<"MessageRequested">;
const dayMs = 86_400_000;
/** Among the owners of a file that was sent to somebody who is no contact: nobody's erasure takes it. */
const nobody = "nobody";

/** The caller's attachments among these, but for those that were erased with their contact. */
export async function findAttachments(
  { deps, partner }: Sender,
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
 * Marks the files of messages as sent, and gives those that were uploaded for no contact to the contacts they are sent to: they go once all of these are erased. Before the messages are
 * stored, so that no file is sent that an erasure does not find. Gives those that were deleted since they were looked at.
 */
export async function giveFiles(
  { deps, partner }: Sender,
  requests: readonly Requested[],
): Promise<ReadonlySet<string>> {
  const owners = new Map<string, Set<string>>();
  for (const request of requests) {
    const ids = (request.content.media ?? []).flatMap(({ attachment_id: id }) => id ?? []);
    if (ids.length === 0) continue;
    const owner = request.contact_id ?? (await contactAt(deps, partner.partner_id, request));
    for (const id of ids) owners.set(id, (owners.get(id) ?? new Set()).add(owner ?? nobody));
  }
  const gone = new Set(owners.keys());
  if (gone.size === 0) return gone;
  // By the day, so that of many sends of a file few write its row.
  const until = new Date(Math.ceil(Math.max(...requests.map(overAt)) / dayMs + 1) * dayMs);
  // Again for what somebody else was marking meanwhile.
  for (let time = 0; time < 2 && gone.size > 0; time++)
    for (const { id, owned } of await markSent(deps.pool, partner.partner_id, [...gone], until)) {
      gone.delete(id);
      if (!owned) await deps.vault.share(partner.partner_id, id, [...owners.get(id)!]);
    }
  return gone;
}

/** The refusal of a message one of whose files is gone. */
export function withoutFile(
  { content }: Requested,
  gone: ReadonlySet<string>,
): PublicError | undefined {
  const index = (content.media ?? []).findIndex(({ attachment_id: id = "" }) => gone.has(id));
  if (index === -1) return undefined;
  const path = `media.${index}.attachment_id`;
  return notValid("body", [{ path, code: "not_found", message: "there is no such attachment" }]);
}
