import type { Channel } from "@heliograph/contracts";
import type { Read } from "./channel.ts";
import { channelModule } from "./registry.ts";

/**
 * One of our own addresses, to which people write, in its one form: what a message can be sent to, or, where senders have names and short codes too, one of those.
 */
export function inboxAddress(channel: Channel, text: string): Read<string> {
  const rules = channelModule(channel);
  const address = rules.recipient(text);
  if (address.kind === "read") return { kind: "read", value: address.value.to };
  // A mailbox has a name beside its address, and nobody writes to a name.
  return rules.mail === undefined ? rules.sender(text) : address;
}
