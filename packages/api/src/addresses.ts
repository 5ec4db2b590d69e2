import { boundedCache } from "@heliograph/domain";
import ipaddr from "ipaddr.js";

type Block = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Of those that call again and again: to take one apart is a fiftieth of what accepting a message costs. */
const known = boundedCache<string, string>(1_000);
/** Longer texts are no addresses, and come from who fills headers. */
const mostCharacters = 64;

/**
 * A client's address in the one form that is compared and recorded. Proxies write it with a port (`203.0.113.7:5123`, `[2001:db8::1]:443`), and a
 * dual-stack socket shows IPv4 clients as mapped addresses, in several spellings. Text that is no address stays as it is, and is in no block.
 */
export function clientAddress(text: string): string {
  const before = known.get(text);
  if (before !== undefined) return before;
  const address = addressIn(text);
  if (text.length <= mostCharacters) known.set(text, address);
  return address;
}

function addressIn(text: string): string {
  const bare =
    /^\[([^\]]+)\](?::\d{1,5})?$/.exec(text)?.[1] ??
    /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/.exec(text)?.[1] ??
    text;
  return isAddress(bare) ? ipaddr.process(bare).toString() : text;
}

/**
 * Where a caller is, for limits: an IPv4 address, mapped or not, or the /64 of an IPv6 one, which is what one customer gets (RFC 6177). The one definition of it. Takes what
 * `clientAddress` takes; all that is no address is one place.
 */
export const placeOf = (text: string): string => networkOf(text, { ipv4: 32, ipv6: 64 });

/** The block that a caller is in: so many bits, whole bytes of IPv4 and whole groups of IPv6. Takes what `placeOf` takes. */
export function networkOf(
  text: string,
  bits: { readonly ipv4: number; readonly ipv6: number },
): string {
  const address = clientAddress(text);
  if (!isAddress(address)) return "unknown";
  const parsed = ipaddr.parse(address);
  if (parsed instanceof ipaddr.IPv4)
    return bits.ipv4 === 32
      ? address
      : `${parsed.octets.slice(0, bits.ipv4 / 8).join(".")}/${bits.ipv4}`;
  const groups = parsed.parts.slice(0, bits.ipv6 / 16).map((group) => group.toString(16));
  return `${groups.join(":")}::/${bits.ipv6}`;
}

/** `ipaddr.js` also reads `10.1` and `0x7f.1`, which people do not mean. */
const isAddress = (text: string): boolean =>
  text.includes(":") ? ipaddr.IPv6.isValid(text) : ipaddr.IPv4.isValidFourPartDecimal(text);

/** A CIDR block, or an address as a block of one; undefined for other text. A block of mapped addresses is the IPv4 block that it maps. */
export function parseBlock(text: string): Block | undefined {
  const [address = "", bits, ...more] = text.split("/");
  if (!isAddress(address) || more.length > 0) return undefined;
  if (bits !== undefined && !/^\d{1,3}$/.test(bits)) return undefined;
  const parsed = ipaddr.parse(address);
  const width = parsed.kind() === "ipv4" ? 32 : 128;
  const length = bits === undefined ? width : Number(bits);
  if (length > width) return undefined;
  if (parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() && length >= 96)
    return [parsed.toIPv4Address(), length - 96];
  return [parsed, length];
}

/** Whether the address, in the form of `clientAddress`, lies in one of the blocks. */
export function inBlocks(blocks: readonly Block[], address: string): boolean {
  if (!isAddress(address)) return false;
  const parsed = ipaddr.parse(address);
  return blocks.some(
    ([network, bits]) => network.kind() === parsed.kind() && parsed.match(network, bits),
  );
}

/** Whether every address of the block lies in one of the others. */
export const isWithin = ([network, bits]: Block, outer: readonly Block[]): boolean =>
  outer.some(
    ([base, length]) =>
      base.kind() === network.kind() && bits >= length && network.match(base, length),
  );
