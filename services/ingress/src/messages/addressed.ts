import type { SendMessage } from "@heliograph/acceptance";
import { notValid } from "@heliograph/api";
import { reachOf } from "@heliograph/contacts";
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

/** The send to the address that its contact has on the channel now. Throws where there is no such contact, or no address of it. */
export async function addressed(
  { deps, partner }: Pick<Sender, "deps" | "partner">,
  body: SendMessage,
): Promise<SendMessage> {
  const { contact_id: id, channel, ...send } = body;
  if (id === undefined) return body;
  const { log, vault } = deps;
  const context = { log, vault, partner: partner.partner_id };
  const found = isId("cnt", id)
    ? await reachOf(context, id, channel)
    : ({ kind: "unknown" } as const);
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
