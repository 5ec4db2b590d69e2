import { channelModule } from "@heliograph/channels";
import type { Channel } from "@heliograph/contracts";

export type Address = { readonly id: string; readonly added_at: string };

/**
 * Which of a contact's addresses on a channel is written to: the one that it was given last. Some people write from what nothing can be sent to, and an id of the provider's is for who has
 * no number.
 */
export const reachableAt = (channel: Channel, addresses: readonly Address[]): string | undefined =>
  addresses
    .filter(({ id }) => channelModule(channel).recipient(id).kind === "read")
    .toSorted(
      (one, other) =>
        Number(isNumber(other.id)) - Number(isNumber(one.id)) ||
        (one.added_at < other.added_at ? 1 : -1),
    )[0]?.id;

const isNumber = (id: string): boolean => /^\+\d+$/.test(id);
