import type { Settings } from "@heliograph/runtime";
import { erasedText, type Vault } from "@heliograph/vault";
import type pg from "pg";
import { quotaOf } from "./keep.ts";
import { adoptAttachments } from "./tables/adopt.ts";
import { removeAttachments, removeOfContacts } from "./tables/attachments.ts";

/**
 * Removes the files of contacts that were erased: those that were uploaded for them, and those whose key went since all whom they were sent to are erased. The bytes go with a sweep.
 * Safe to repeat.
 */
export async function forgetFiles(
  { pool, vault }: { readonly pool: pg.Pool; readonly vault: Pick<Vault, "owned"> },
  partner: string,
  contacts: readonly string[],
): Promise<void> {
  await removeOfContacts(pool, partner, contacts);
  const keys = await vault.owned(partner, contacts);
  const ids = keys.flatMap(({ subject, destroyed }) =>
    destroyed && subject.startsWith("att_") ? [subject] : [],
  );
  if (ids.length > 0) await removeAttachments(pool, partner, ids);
}

/**
 * Gives the files of a message to the partner and the contact whose it turned out to be, so that they go with them. Of a contact that is erased by now nothing stays, and of a message for whose files
 * the partner has no room only what finds some: gives what is gone, and why. Safe to repeat.
 */
export async function adoptFiles(
  {
    pool,
    vault,
    settings,
  }: {
    readonly pool: pg.Pool;
    readonly vault: Pick<Vault, "adopt" | "share" | "seal" | "destroy">;
    readonly settings: Pick<Settings, "attachmentsQuotaBytes">;
  },
  partner: string,
  contact: string,
  ids: readonly string[],
): Promise<{ readonly ids: readonly string[]; readonly reason: "no_room" | "erased" }> {
  await vault.adopt(ids.map((subject) => ({ subject, partner, owners: [contact] })));
  for (const id of ids) await vault.share(partner, id, [contact]);
  const quota = quotaOf(settings.attachmentsQuotaBytes);
  const refused = await adoptAttachments(pool, { partner, contact }, ids, quota);
  if (refused.length > 0) await vault.destroy(partner, refused);
  // Looked at once the keys are the contact's: an erasure that comes later finds them.
  const seal = await vault.seal({ partner, subject: contact });
  if (seal("") !== erasedText) return { ids: refused, reason: "no_room" };
  await vault.destroy(partner, ids);
  await removeAttachments(pool, partner, ids);
  return { ids, reason: "erased" };
}
