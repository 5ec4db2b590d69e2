import { streamOf } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";

/** All that is erased with a contact. */
export type Erased = {
  /** The contact first, then those that are part of it, however deep. */
  readonly contacts: readonly string[];
  /** Every external id that one of them has or ever had: the name of its claim, and its source. */
  readonly ids: ReadonlyMap<string, string>;
  /** Names of the ids of all that were ever merged in: what came from them meanwhile was for these contacts. */
  readonly lent: ReadonlySet<string>;
};

/**
 * Reads what an erasure takes with it. Names of claims stand open in events, so a repetition after the keys are gone finds the same. A contact that was merged in and let go again
 * is a person of its own, and so are the ids that came and went with it.
 */
export async function collectErased(
  log: Pick<EventLog, "scanStream">,
  contactId: string,
): Promise<Erased> {
  const contacts: string[] = [];
  const ids = new Map<string, string>();
  const lent = new Set<string>();
  const waiting = [contactId];
  for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
    if (contacts.includes(id)) continue;
    contacts.push(id);
    const merged = new Map<string, string>();
    for await (const { type, data } of log.scanStream(streamOf("contact", id)))
      switch (type) {
        case "ContactCreated":
          for (const { name, source } of data.external_ids) ids.set(name, source);
          break;
        case "ContactExternalIdAdded":
          ids.set(data.external_id.name, data.external_id.source);
          break;
        case "ContactAbsorbed":
          merged.set(data.merge_id, data.merged_id);
          for (const { name } of data.external_ids) lent.add(name);
          break;
        case "ContactReleased":
          merged.delete(data.merge_id);
          break;
        default:
          break;
      }
    waiting.push(...merged.values());
  }
  return { contacts, ids, lent };
}
