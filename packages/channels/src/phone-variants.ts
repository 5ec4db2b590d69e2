import type { Channel } from "@heliograph/contracts";

/** Other ways to write a number: Brazilian mobiles gained a 9 behind the area code, Mexican ones lost the 1 behind 52. */
export function phoneVariants(number: string): readonly string[] {
  const brazil = /^\+55(\d{2})(9?)([6-9]\d{7})$/.exec(number);
  if (brazil !== null) return [`+55${brazil[1]}${brazil[2] === "9" ? "" : "9"}${brazil[3]}`];
  const mexico = /^\+52(1?)(\d{10})$/.exec(number);
  if (mexico !== null) return [`+52${mexico[1] === "1" ? "" : "1"}${mexico[2]}`];
  return [];
}

/**
 * The addresses by which a channel's provider may call the very recipient of this one: a message goes to the number that was given, and its answer comes from the one that WhatsApp knows (Meta,
 * "Phone numbers"). Argentina's have a 9 behind 54 there, which a landline has not. On every other channel an address is its own.
 */
export function sameRecipient(channel: Channel, address: string): readonly string[] {
  if (channel !== "whatsapp") return [];
  const argentina = /^\+54(9?)([1-8]\d{9})$/.exec(address);
  return argentina === null
    ? phoneVariants(address)
    : [`+54${argentina[1] === "9" ? "" : "9"}${argentina[2]}`];
}
