import type { Channel } from "@heliograph/contracts";
import { lookThroughUnmerge } from "./merge/restore.ts";
import { reachableAt } from "./reachable.ts";
import { type ContactsContext, type Loaded, survivorsOf } from "./streams.ts";

/** Where a contact is reached on a channel, or why it is not. */
export type Reach =
  | { readonly kind: "reached"; readonly to: string }
  | { readonly kind: "unknown" | "erased" | "no_address" };

/** Where each of some contacts is reached. */
export type ReachOf = (id: string, channel: Channel) => Reach;

/** The addresses that contacts, or those that they are part of by now, were given last on each channel. From the log itself, so that it is the one that was added a moment ago; each is read once. */
export async function reachOf(
  context: Pick<ContactsContext, "log" | "vault" | "partner">,
  ids: readonly string[],
): Promise<ReachOf> {
  const survivorOf = await survivorsOf(context, ids);
  const whole = new Map<string, Loaded | undefined>();
  for (const id of ids) {
    const by = survivorOf(id);
    const merged = by?.contact.merged;
    whole.set(id, merged === undefined ? by : await lookThroughUnmerge(context, by!, merged));
  }
  return (id, channel) => {
    const contact = whole.get(id)?.contact;
    if (contact === undefined) return { kind: "unknown" };
    const { status, external_ids } = contact;
    if (status === "erasing" || status === "erased") return { kind: "erased" };
    const to = reachableAt(
      channel,
      external_ids.filter(({ source }) => source === channel),
    );
    return to === undefined ? { kind: "no_address" } : { kind: "reached", to };
  };
}
