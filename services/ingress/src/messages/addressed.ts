import type { SendMessage } from "@heliograph/acceptance";
import { notValid } from "@heliograph/api";
import { type ReachOf, reachOf } from "@heliograph/contacts";
import { isId, type PublicError } from "@heliograph/contracts";
import type { SendMessage as AskedMessage } from "./schema.ts";
import type { Sender } from "./sender.ts";

const refuse = (path: string, code: string, message: string): PublicError =>
  notValid("body", [{ path, code, message }]);

/** A send that names an address or a contact, and not both. Throws `invalid_request`. */
export function withRecipient(body: AskedMessage): SendMessage {
  const { to, contact_id } = body;
  if (to === undefined && contact_id === undefined)
    throw refuse("to", "required", "is required, or a contact_id");
  if (to !== undefined && contact_id !== undefined)
    throw refuse("contact_id", "not_allowed", "is for a message that names no recipient");
  return { ...body, to: to ?? "" };
}

/** For sends that name no contact. */
export const nobody: ReachOf = () => ({ kind: "unknown" });

/** Where the contacts of some sends are reached now: each is read once, however many sends and steps go to it. A promise only where they name some. */
export function contactsOf(
  { deps: { log, vault }, partner: { partner_id: partner } }: Pick<Sender, "deps" | "partner">,
  bodies: readonly Pick<AskedMessage, "contact_id">[],
): ReachOf | Promise<ReachOf> {
  const ids = bodies.flatMap(({ contact_id: id }) =>
    id !== undefined && isId("cnt", id) ? id : [],
  );
  return ids.length === 0 ? nobody : reachOf({ log, vault, partner }, ids);
}

/** The send to the address that its contact has on the channel. Throws where there is no such contact, or no address of it. */
export function addressed(reached: ReachOf, body: SendMessage): SendMessage {
  const { contact_id: id, channel, ...send } = body;
  if (id === undefined) return body;
  const found = reached(id, channel);
  switch (found.kind) {
    case "reached":
      return { ...send, channel, to: found.to };
    case "unknown":
      throw refuse("contact_id", "not_found", "there is no such contact");
    case "erased":
      throw refuse("contact_id", "contact_erased", "the contact was erased");
    case "no_address":
      throw refuse("contact_id", "no_address", `the contact has no address on ${channel}`);
    default:
      return found satisfies never;
  }
}
