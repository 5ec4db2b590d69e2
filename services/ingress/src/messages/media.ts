import type { StoredMedia } from "@heliograph/acceptance";
import type { Call } from "@heliograph/api";
import { erasedText } from "@heliograph/vault";
import { readyAttachments } from "../tables/attachments.ts";

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
