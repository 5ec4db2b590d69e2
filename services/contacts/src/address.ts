import type { Channel } from "@heliograph/contracts";
import { type ContactsContext, survivorOf } from "./streams.ts";

/** Where a contact is reached on a channel, or why it is not. */
export type Reach =
  | { readonly kind: "reached"; readonly to: string }
  | { readonly kind: "unknown" | "erased" | "no_address" };

/** The address on a channel that a contact, or the one that it is part of by now, was given last. From the log itself, so that it is the one that was added a moment ago. */
export async function reachOf(
  context: Pick<ContactsContext, "log" | "vault" | "partner">,
  id: string,
  channel: Channel,
): Promise<Reach> {
  const loaded = await survivorOf(context, id);
  if (loaded === undefined) return { kind: "unknown" };
  const { status, external_ids } = loaded.contact;
  if (status === "erasing" || status === "erased") return { kind: "erased" };
  const [last] = external_ids
    .filter(({ source }) => source === channel)
    .toSorted((one, other) => (one.added_at < other.added_at ? 1 : -1));
  return last === undefined ? { kind: "no_address" } : { kind: "reached", to: last.id };
}
