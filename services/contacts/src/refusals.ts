import type { ExternalIdRef } from "@heliograph/channels";
import { type FieldError, PublicError } from "@heliograph/contracts";
import type { Contact } from "./contact.ts";

export const notFound = (what = "contact"): PublicError =>
  new PublicError("not_found", `There is no such ${what}.`);

/** The id itself is not told: whoever sent it knows it. */
export const taken = ({ source }: ExternalIdRef, contactId: string): PublicError =>
  new PublicError(
    "external_id_taken",
    `The external id of source ${source} belongs to the contact ${contactId}.`,
    { extra: { contact_id: contactId } },
  );

export const mergedError = (into: string): PublicError =>
  new PublicError("contact_merged", `The contact is part of ${into} now.`, {
    extra: { merged_into: into },
  });

export const goneError = (): PublicError =>
  new PublicError("contact_erased", "The contact was erased.");

export const erased = ({ status }: Pick<Contact, "status">): boolean =>
  status === "erasing" || status === "erased";

export const withField = (path: string, code: string, message: string): FieldError => ({
  path,
  code,
  message,
});
