// What the README shows, compiled.
import { upsertByExternalId } from "../src/commands.ts";
import type { ContactsContext } from "../src/streams.ts";

declare const context: ContactsContext;

export async function example(): Promise<string> {
  const upserted = await upsertByExternalId(
    context,
    { source: "crm", id: "C-1" },
    { name: "Ada" },
    { made_by: "api" },
  );
  const id = upserted.kind === "refused" ? upserted.error.code : upserted.contact.contact_id; // "cnt_…", or "external_id_taken"
  return id;
}
