import { copyFile } from "node:fs/promises";
import {
  findAttachment,
  giveUp,
  keepFile,
  spoolPath,
  type Attachments,
} from "@heliograph/attachments";
import { newId, type EventData } from "@heliograph/contracts";
import type { ApiContext } from "@heliograph/api";
import type { MailFile } from "./read.ts";

type Live = ApiContext["environments"]["live"];
type Received = NonNullable<EventData<"CallbackReceived">["files"]>[number];

/** Whose files are until their message is matched: most likely a partner's, or nobody's that came through a gateway. */
export type Holder = { readonly partner: string; readonly gatewayId: string };

/** Keeps the files of a mail for one of its recipients. One for which the partner has no room is named alone. */
export async function keepFiles(
  { pool, vault }: Live,
  attachments: Attachments,
  { partner, gatewayId }: Holder,
  files: readonly MailFile[],
): Promise<{ readonly files: Received[]; giveUp(): Promise<void> }> {
  const ids: string[] = [];
  async function giveUpAll(): Promise<void> {
    for (const id of ids) {
      const row = await findAttachment(pool, id);
      if (row !== undefined) await giveUp(pool, attachments.store, row);
    }
    await vault.destroy(partner, ids);
  }
  async function keep(file: MailFile): Promise<Received> {
    const { name, type, bytes, spooled } = file;
    const about = { ...(name !== undefined && { name }), type, bytes };
    if (spooled === undefined) return { ...about, not_kept: file.why };
    const id = newId("att");
    ids.push(id);
    const kept = await keepFile(
      { pool, vault },
      attachments,
      {
        environment: "live",
        id,
        partner,
        name: name ?? null,
        contactId: null,
        bytes,
        origin: "received",
        ...(partner === "" && { account: gatewayId }),
      },
      spooled.key,
      async () => {
        // Each recipient has a file of its own, which goes with its own contact.
        const path = spoolPath(attachments);
        await copyFile(spooled.path, path);
        return { ...spooled, path };
      },
      () => "",
    );
    return kept.kind === "kept"
      ? { ...about, attachment_id: id, type: spooled.type }
      : { ...about, not_kept: "no_room" };
  }
  try {
    const kept: Received[] = [];
    for (const file of files) kept.push(await keep(file));
    return { files: kept, giveUp: giveUpAll };
  } catch (error) {
    await giveUpAll().catch(() => undefined);
    throw error;
  }
}
