import type { Channel } from "@heliograph/contracts";
import { broadcast } from "./broadcast.ts";
import type { ChannelModule } from "./channel.ts";
import { email } from "./email.ts";
import type { MagicOutcome } from "./magic.ts";
import { push } from "./push.ts";
import { sms } from "./sms.ts";
import { telegram } from "./telegram.ts";
import { whatsapp } from "./whatsapp.ts";

/** One more channel is one file and one line here. */
const modules: Readonly<Record<Channel, ChannelModule>> = {
  sms,
  whatsapp,
  email,
  push,
  telegram,
  broadcast,
};

const isChannel = (source: string): source is Channel => Object.hasOwn(modules, source);

/** The rules of a channel; undefined for a source of names that is none. */
export function channelModule(channel: Channel): ChannelModule;
export function channelModule(source: string): ChannelModule | undefined;
export function channelModule(source: string): ChannelModule | undefined {
  return isChannel(source) ? modules[source] : undefined;
}

/**
 * The stored form of an address, as a filter names it: read as the `to` of a send on the channel, or on the first one that knows such
 * addresses. No address holds a blank: one that does was a plus before the query was decoded. Undefined for what is no address.
 */
export function storedRecipient(text: string, channel?: Channel): string | undefined {
  const address = text.replaceAll(" ", "+");
  const asked =
    channel === undefined
      ? Object.values(modules).filter((module) => !module.takesNames)
      : [modules[channel]];
  for (const module of asked) {
    const found = module.recipient(address);
    if (found.kind === "read") return found.value.to;
  }
  return undefined;
}

/** The outcome that a sandbox recipient stands for, which ingress (suppressed) and the simulator (everything else) must agree on. */
export const magicOutcome = (channel: Channel, to: string): MagicOutcome =>
  modules[channel].magic(to);
