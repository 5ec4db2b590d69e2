import { type Channel, type EventData, uuid5 } from "@heliograph/contracts";
import { carries } from "./carries.ts";

export type SenderPool = EventData<"SenderPoolConfigured">;
type Gateways = readonly Pick<
  EventData<"GatewayConfigured">,
  "gateway_id" | "partner_id" | "countries" | "enabled"
>[];

/** What of a message says which pool it takes its sender of. `sender_pool`: a pool's id or name. */
export type AsksPool = {
  readonly channel: Channel;
  readonly from?: string | undefined;
  readonly sender_pool?: string | undefined;
};

/**
 * The pool that a message names. Its own pools, which come first, have their names before those of gateways; of several gateways' with one name it is that of one which carries the message,
 * one that is on before one that is switched off, and one that none carries only where there is no other.
 */
export function namedPool(
  pools: readonly SenderPool[],
  { channel, sender_pool: asked }: AsksPool,
  gateways: Gateways,
  partner: string,
  country: string,
): SenderPool | undefined {
  const named = pools.filter(
    (pool) => pool.channel === channel && (pool.pool_id === asked || pool.name === asked),
  );
  const usable = named.filter((pool) => isCarried(pool, gateways, partner, country));
  return usable.find((pool) => isOn(pool, gateways)) ?? usable[0] ?? named[0];
}

/**
 * The pool that a message which names none takes its sender of, where there is one: the partner's default of the channel, else that of a gateway which is on and carries the message. A message with a
 * sender of its own keeps that.
 */
export function defaultPool(
  pools: readonly SenderPool[],
  { channel, from, sender_pool }: AsksPool,
  gateways: Gateways,
  partner: string,
  country: string,
): SenderPool | undefined {
  if (from !== undefined || sender_pool !== undefined) return undefined;
  return pools.find(
    (pool) =>
      pool.default &&
      pool.channel === channel &&
      isCarried(pool, gateways, partner, country) &&
      isOn(pool, gateways),
  );
}

/** The pool that one of our addresses is in, where people write to it; a mail's sender may have a name beside its address. */
export const poolOfInbox = (
  pools: readonly SenderPool[],
  channel: Channel,
  inbox: string,
): SenderPool | undefined =>
  pools.find((pool) => pool.channel === channel && pool.inboxes.includes(inbox));

/** Messages with a sender of a gateway's pool go by that gateway alone. One that is switched off is waited for by whoever names its pool, as it is by what was accepted before: it may be on again in a minute. */
export const isCarried = (
  { gateway_id: id }: Pick<SenderPool, "gateway_id">,
  gateways: Gateways,
  partner: string,
  country: string,
): boolean =>
  id === undefined ||
  gateways.some((gateway) => gateway.gateway_id === id && carries(gateway, partner, country));

const isOn = ({ gateway_id: id }: Pick<SenderPool, "gateway_id">, gateways: Gateways): boolean =>
  id === undefined || gateways.some(({ gateway_id, enabled }) => gateway_id === id && enabled);

export type ChosenSender = { readonly sender: string; readonly reason: string };

/**
 * The sender that a recipient sees: the one it had, as long as that may be used; else the preferred one; else one by the recipient's name, an HMAC, so that recipients
 * are spread evenly and everybody who decides at the same moment decides alike. Undefined where none may be used.
 */
export function chooseSender(
  usable: readonly string[],
  recipient: { readonly name: string; readonly before: string | undefined },
  preferred?: string,
): ChosenSender | undefined {
  if (usable.length === 0) return undefined;
  const { name, before } = recipient;
  if (before !== undefined && usable.includes(before))
    return { sender: before, reason: "the recipient has it" };
  const replaced = before === undefined ? "" : `; ${before}, which it had, cannot be used`;
  if (preferred !== undefined && usable.includes(preferred))
    return { sender: preferred, reason: `it was asked for${replaced}` };
  // 48 bits: no sender is likelier than another by more than one in 10^12. With what it had, so that those who lose one sender are spread over all that are left.
  const place = Number.parseInt(uuid5(name, before ?? "").slice(-12), 16) % usable.length;
  return {
    sender: usable[place]!,
    reason: `${place + 1} of ${usable.length}, by the recipient${replaced}`,
  };
}
