import type { Vault } from "@heliograph/vault";
import type pg from "pg";
import { removeAttachments, removeOfContacts } from "../tables/attachments.ts";

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
