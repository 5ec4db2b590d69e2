import { holdersOf } from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import type { ServiceContext } from "@heliograph/runtime";
import type { Received } from "./match.ts";

/**
 * What a message came as goes with the contact that it was matched to. The contact's erasure sees to that, but for what it is told too late: then the keys go here. Safe to repeat, as for a contact who is not
 * erased.
 */
export async function forgetErased(
  { log, vault }: Pick<ServiceContext, "log" | "vault">,
  { data }: Received,
  { data: { contact_id }, metadata }: RecordedEvent<"InboundMatched">,
): Promise<void> {
  const holders = await holdersOf(log, [contact_id]);
  if (!holders.get(contact_id)!.erased) return;
  const records = [data.inbound_id, data.callback_id, ...(data.further_callback_ids ?? [])];
  await vault.destroy(
    metadata.partner ?? "",
    records.filter((record) => record !== undefined),
  );
}
