import { BlockList, isIP } from "node:net";

/** A network, or one address, in the form of `BlockList`. Undefined for what is neither. */
export function networkOf(
  text: string,
):
  | { readonly address: string; readonly bits: number; readonly family: "ipv4" | "ipv6" }
  | undefined {
  const [, address = "", length] = /^([\da-f.:]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0) return undefined;
  const most = version === 4 ? 32 : 128;
  const bits = length === undefined ? most : Number(length);
  return bits > most ? undefined : { address, bits, family: version === 4 ? "ipv4" : "ipv6" };
}

/** An IPv4 address is written as one of IPv6 where the listener has a socket for both. */
export function isOneOf(networks: readonly string[], remoteAddress: string): boolean {
  const address = remoteAddress.replace(/^::ffff:(?=\d+\.)/i, "");
  const version = isIP(address);
  if (version === 0) return false;
  const list = new BlockList();
  for (const text of networks) {
    const { address: of, bits, family } = networkOf(text)!;
    list.addSubnet(of, bits, family);
  }
  return list.check(address, version === 4 ? "ipv4" : "ipv6");
}
