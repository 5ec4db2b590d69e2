import { phoneVariants } from "@heliograph/channels";
import type { Contact } from "./contact.ts";
import { folded } from "./search.ts";
import type { ContactRow } from "./tables/contacts.ts";

/** Two contacts that may be one person. A reason alone proves nothing: nothing is ever merged by it. */
export type Reason = "same_address" | "email_case" | "phone_variant" | "same_name";
export type Duplicate = {
  readonly contact_id: string;
  /** From 0 to 1: how likely the reasons together make it. */
  readonly score: number;
  readonly reasons: readonly Reason[];
};

const weights: Readonly<Record<Reason, number>> = {
  // One address in two channels, such as SMS and WhatsApp.
  same_address: 0.9,
  // RFC 5321 §2.4 lets a local part keep its case; hardly any provider tells them apart.
  email_case: 0.9,
  phone_variant: 0.8,
  same_name: 0.4,
};

/** Why they may be one; none where they share nothing that counts. */
export function reasonsOf(
  one: Pick<Contact, "external_ids" | "fields">,
  other: Pick<ContactRow, "external_ids" | "name" | "language" | "time_zone">,
): readonly Reason[] {
  const reasons = new Set<Reason>();
  for (const { source, id } of one.external_ids)
    for (const their of other.external_ids) {
      // Ids of one system that differ are two people there.
      if (their.id === id && their.source !== source && /^\+|@/.test(id))
        reasons.add("same_address");
      else if (
        source === "email" &&
        their.source === "email" &&
        their.id.toLowerCase() === id.toLowerCase()
      )
        reasons.add("email_case");
      else if (phoneVariants(id).includes(their.id)) reasons.add("phone_variant");
    }
  const { name, language, time_zone } = one.fields;
  const alike =
    (language !== null && language === other.language) ||
    (time_zone !== null && time_zone === other.time_zone);
  if (alike && name !== null && other.name !== null && folded(name) === folded(other.name))
    reasons.add("same_name");
  return [...reasons];
}

/** The likeliest first. */
export function rank(
  one: Pick<Contact, "contact_id" | "external_ids" | "fields">,
  candidates: readonly ContactRow[],
): readonly Duplicate[] {
  const found = new Map<string, Duplicate>();
  for (const row of candidates) {
    const reasons = reasonsOf(one, row);
    if (row.id === one.contact_id || reasons.length === 0) continue;
    const unlikely = reasons.reduce((left, reason) => left * (1 - weights[reason]), 1);
    const score = Math.round((1 - unlikely) * 100) / 100;
    found.set(row.id, { contact_id: row.id, score, reasons });
  }
  return [...found.values()].toSorted(
    (left, right) => right.score - left.score || (left.contact_id < right.contact_id ? -1 : 1),
  );
}
