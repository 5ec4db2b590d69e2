// What the README shows, compiled.
import { upsertByExternalId } from "../src/commands.ts";
import type { ContactsContext } from "../src/streams.ts";

declare const context: ContactsContext;

export async function example(): Promise<string> {
  const ref = { source: "crm", id: "C-1" };
  const upserted = await upsertByExternalId(context, ref, { name: "Ada" }, { made_by: "api" });
  const { kind } = upserted; // "created", "updated", "unchanged", or "refused" with an error such as external_id_taken
  return kind;
}
