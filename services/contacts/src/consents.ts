import { type EventData, streamOf } from "@heliograph/contracts";
import { erasedText } from "@heliograph/vault";
import { type ContactsContext, loadContact } from "./streams.ts";

type Recorded = EventData<"ConsentRecorded">;

/** A consent while it was in force. */
export type ConsentPeriod = Pick<Recorded, "channel" | "purpose" | "status"> & {
  readonly id: string;
  readonly evidence: unknown;
  readonly started_at: string;
  /** When a later one for the same channel and purpose took its place. */
  readonly ended_at: string | null;
};

const evidenceOf = (text: string): unknown => (text === erasedText ? erasedText : JSON.parse(text));

/** The periods that these records make, in the order of their beginnings. Each lasts until the next one for its channel and purpose. */
export function periodsOf(records: readonly Recorded[]): readonly ConsentPeriod[] {
  const sorted = records.toSorted((left, right) => (left.recorded_at < right.recorded_at ? -1 : 1));
  return sorted.map((each, index) => {
    const next = sorted
      .slice(index + 1)
      .find(({ channel, purpose }) => channel === each.channel && purpose === each.purpose);
    const { consent_id, channel, purpose, status, evidence, recorded_at } = each;
    return {
      id: consent_id,
      channel,
      purpose,
      status,
      evidence: evidenceOf(evidence),
      started_at: recorded_at,
      ended_at: next?.recorded_at ?? null,
    };
  });
}

/** Whether a period was in force at an instant, in epoch milliseconds. */
export const isInForce = ({ started_at, ended_at }: ConsentPeriod, atMs: number): boolean =>
  Date.parse(started_at) <= atMs && (ended_at === null || atMs < Date.parse(ended_at));

/** What a contact, and those that are part of it, consented to. */
export async function readConsents(
  context: Pick<ContactsContext, "log" | "vault" | "partner">,
  contactId: string,
): Promise<readonly Recorded[]> {
  const records: Recorded[] = [];
  const ids = [contactId];
  for (const id of ids) {
    for await (const event of context.log.scanStream(streamOf("contact", id)))
      if (event.type === "ConsentRecorded") records.push(event.data);
    const loaded = await loadContact(context, id);
    for (const { merged_id } of loaded?.contact.merges ?? [])
      if (!ids.includes(merged_id)) ids.push(merged_id);
  }
  return (await context.vault.open(context.partner, records))(records);
}
