import { externalIdName } from "@heliograph/channels";
import type { Channel } from "@heliograph/contracts";
import { suppressionName } from "@heliograph/domain";
import type { Seal, Vault } from "@heliograph/vault";

/** A recipient of a partner, in the form that its channel gives. */
export type Address = { readonly partner: string; readonly channel: Channel; readonly to: string };

/** The name of the recipient's stream, and the seal of what is written there: its key dies with the contact who has the address. */
export async function recipientOf(
  vault: Vault,
  { partner, channel, to }: Address,
): Promise<{ readonly name: string; readonly seal: Seal }> {
  const name = suppressionName(vault, partner, channel, to);
  const owners = [externalIdName(vault, partner, { source: channel, id: to })];
  return { name, seal: await vault.seal({ partner, subject: name, owners }) };
}
