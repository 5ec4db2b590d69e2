import { parseMailbox } from "@heliograph/channels";
import { isId } from "@heliograph/contracts";
import { type ApiContext, notValid } from "@heliograph/api";
import { operator } from "@heliograph/platform";
import type { Contact } from "../evolve.ts";

/** Whom a text names: an active agent of the installation's own partner, or a mailbox. Throws `invalid_request`. */
export function contactOf(
  { directory }: Pick<ApiContext, "directory">,
  text: string,
  path: string,
): Contact {
  const refuse = (message: string) => notValid("body", [{ path, code: "invalid_value", message }]);
  if (isId("agt", text)) {
    const agent = directory.agent(text);
    if (agent?.partner_id !== operator.partner_id || agent.status === "disabled")
      throw refuse("there is no such operator");
    return { name: agent.name, email: agent.email, agent_id: agent.agent_id };
  }
  const mailbox = parseMailbox(text.trim());
  if (mailbox === undefined) throw refuse("must be an agt_… id or an e-mail address");
  const { address } = mailbox.email;
  return { name: mailbox.name === "" ? address : mailbox.name, email: address };
}

export const contactView = (contact: Contact): object => ({
  ...contact,
  agent_id: contact.agent_id ?? null,
});
