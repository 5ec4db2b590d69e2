import { type EventData, streamOf, uuid5 } from "@heliograph/contracts";
import { evolveContact } from "../contact.ts";
import { type ContactsContext, type Loaded, changeContact, loadContact } from "../streams.ts";
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

/** How a contact that its survivor has let go is itself again. */
export type EndUnmerge<Context = ContactsContext> = (
  context: Context,
  merged: Loaded,
  into: { readonly into: string; readonly merge_id: string },
) => Promise<Loaded | undefined>;

/** Ends an unmerge that somebody began on the survivor: only a command or a reactor may. */
export const endUnmerge: EndUnmerge = async (context, { contact }, { into, merge_id }) => {
  const released = await releasedIn(context, into, merge_id);
  if (released !== undefined) await restore(context, released);
  return loadContact(context, contact.contact_id);
};

type Reading = Pick<ContactsContext, "log" | "vault" | "partner">;

/** What it will be once that is ended, for whoever only reads. */
export const lookThroughUnmerge: EndUnmerge<Reading> = async (
  context,
  merged,
  { into, merge_id },
) => {
  const released = await releasedIn(context, into, merge_id);
  if (released === undefined) return loadContact(context, merged.contact.contact_id);
  const event = unmerged(merged.contact, merge_id, released.left, { at: released.released_at });
  return { ...merged, contact: evolveContact(merged.contact, event)! };
};

async function releasedIn(
  context: Reading,
  survivorId: string,
  mergeId: string,
): Promise<EventData<"ContactReleased"> | undefined> {
  for await (const { type, data } of context.log.scanStream(streamOf("contact", survivorId)))
    if (type === "ContactReleased" && data.merge_id === mergeId) return data;
  return undefined;
}
