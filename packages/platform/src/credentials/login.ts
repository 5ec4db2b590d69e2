import { streamOf, uuid5, uuidToBase32 } from "@heliograph/contracts";

/**
 * The stream that an address is claimed in, the same however its letters are written: one agent of an address in an installation. Mailboxes may tell cases apart (RFC 5321
 * §2.4), but none does, and who could choose one would take over another's sign-in.
 */
export const loginOf = (email: string): string =>
  streamOf("login", uuidToBase32(uuid5("login", email.trim().normalize("NFKC").toLowerCase())));
