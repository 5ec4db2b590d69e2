import { createSecretKey } from "node:crypto";
import { join } from "node:path";
import type { Settings } from "@heliograph/runtime";
import type { Vault } from "@heliograph/vault";
import { BytesLost, openBytes } from "./cipher.ts";
import { folderStore } from "./folder.ts";
import { s3Store } from "./s3.ts";
import type { Attachments } from "./store.ts";
import type { AttachmentRow } from "./tables/attachments.ts";

/** The attachments of a process, as its settings say where they are. Opens nothing. */
export function attachmentsIn({
  attachmentsUrl,
  attachmentsQuotaBytes,
  dataDir,
}: Pick<Settings, "attachmentsUrl" | "attachmentsQuotaBytes" | "dataDir">): Attachments {
  const root = join(dataDir, "attachments");
  return {
    store: attachmentsUrl === undefined ? folderStore(root) : s3Store(attachmentsUrl),
    // On the folder's own file system: a file is renamed into its place.
    spool: join(root, "incoming"),
    quotaBytes: attachmentsQuotaBytes,
  };
}

/** A row's own texts; undefined when its key is destroyed. */
export async function openedRow(
  vault: Vault,
  row: Pick<AttachmentRow, "partner" | "key" | "name">,
): Promise<{ readonly key: Buffer; readonly name: string | null } | undefined> {
  const open = await vault.open(row.partner, row.key, row.name);
  const key = Buffer.from(open(row.key), "base64url");
  return key.length === 32 ? { key, name: open(row.name) } : undefined;
}

/** The bytes as they were; throws `BytesLost` where the store has none, and at the first piece that is not as it was stored. */
export async function contentOf(
  { store }: Pick<Attachments, "store">,
  row: Pick<AttachmentRow, "id" | "object">,
  key: Buffer,
): Promise<AsyncIterable<Buffer>> {
  const sealed = await store.get(row.object);
  if (sealed === undefined) throw new BytesLost(`the bytes of ${row.id} are not in the store`);
  return openBytes(createSecretKey(key), sealed);
}
