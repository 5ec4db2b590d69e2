import ipaddr from "ipaddr.js";

/** Judges an IP address before it is dialed: undefined when it may be, else why not. */
export type AddressGuard = (address: string) => string | undefined;

/** Public addresses that answer with a cloud's own secrets: Azure's wire server (learn.microsoft.com, "What is IP address 168.63.129.16?"). */
const metadataAddresses = new Set(["168.63.129.16"]);
const globalUnicast = ipaddr.parseCIDR("2000::/3");

/**
 * Only global unicast addresses pass, and what `allowCidrs` names. IPv4-mapped forms are judged as the IPv4 address inside; translated and tunnelled
 * ones (64:ff9b::/96, 64:ff9b:1::/48, 2002::/16, 2001::/32), the deprecated ::a.b.c.d, private, loopback, link-local and all other special
 * ranges of RFC 6890 are refused.
 */
export function createAddressGuard(allowCidrs: readonly string[]): AddressGuard {
  const allowed = allowCidrs.map((cidr) => ipaddr.parseCIDR(cidr));
  return (text) => {
    if (!ipaddr.isValid(text)) return `${text} is not an IP address`;
    const address = ipaddr.process(text);
    for (const [network, bits] of allowed)
      if (network.kind() === address.kind() && address.match(network, bits)) return undefined;
    const range = address.range();
    const isPublic =
      range === "unicast" &&
      !metadataAddresses.has(address.toString()) &&
      (address.kind() === "ipv4" || address.match(globalUnicast));
    return isPublic ? undefined : `${text} is not a public address (${range})`;
  };
}
