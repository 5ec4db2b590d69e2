import { type EventData, streamOf, uuid5 } from "@heliograph/contracts";
import type { Contact } from "../contact.ts";
import { type ContactsContext, type Loaded, changeContact } from "../streams.ts";
import { unmerged } from "./decide.ts";

/** The other half of an unmerge: the merged contact is itself again. */
export async function restore(
  context: ContactsContext,
  { merge_id, released_id, left }: EventData<"ContactReleased">,
): Promise<Loaded> {
  const restored = await changeContact(context, released_id, uuid5(merge_id, "unmerged"), (one) =>
    one?.merged?.merge_id === merge_id
      ? { events: [unmerged(one, merge_id, left, { at: new Date().toISOString() })] }
      : { events: [] },
  );
  if (restored.kind === "refused") throw new Error(`${released_id}: refused to be itself`);
  return restored;
}

/** Whether a contact that another one is part of has let it go, and that one has not been told yet. */
export const hasLetGo = ({ absorbing, merges }: Contact, mergeId: string): boolean =>
  absorbing?.merge_id !== mergeId && merges.every(({ merge_id }) => merge_id !== mergeId);

/** Ends an unmerge that somebody began on the survivor. */
export async function endUnmerge(
  context: ContactsContext,
  survivorId: string,
  mergeId: string,
): Promise<void> {
  for await (const { type, data } of context.log.scanStream(streamOf("contact", survivorId)))
    if (type === "ContactReleased" && data.merge_id === mergeId) {
      await restore(context, data);
      return;
    }
}
