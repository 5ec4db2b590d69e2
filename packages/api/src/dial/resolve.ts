import { lookup, Resolver } from "node:dns/promises";

/** Gives every address of a host name. Throws an error whose `code` is the resolver's. */
export type ResolveHost = (name: string) => Promise<readonly string[]>;

/** Look-ups through the operating system block a thread of Node's pool of four each, so only so many run at once; the rest wait. */
const maxSystemLookups = 2;

/** What c-ares says when it does not know the name or has no server to ask: the hosts file may still know. */
const unknownToDns = new Set(["ENOTFOUND", "ENODATA", "ECONNREFUSED", "ESERVFAIL", "EREFUSED"]);

/** Where names of this machine lead without asking anybody (RFC 6761, section 6.3); undefined for all others. */
export const localAddresses = (name: string): readonly string[] | undefined =>
  name === "localhost" || name.endsWith(".localhost") ? ["127.0.0.1", "::1"] : undefined;

/**
 * Asks DNS over own sockets first: a name server that does not answer then delays nobody but who named it, whereas getaddrinfo would
 * block threads that file and crypto work need. Names that DNS does not know go to the operating system, for the sake of hosts files.
 */
export function createResolver(timeoutMs = 2_000): ResolveHost {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 2 });
  let running = 0;
  const waiting: (() => void)[] = [];

  const systemLookup = async (name: string): Promise<readonly string[]> => {
    if (running >= maxSystemLookups) await new Promise<void>((resolve) => waiting.push(resolve));
    running++;
    try {
      return (await lookup(name, { all: true })).map((entry) => entry.address);
    } finally {
      running--;
      waiting.shift()?.();
    }
  };

  return async (name) => {
    const local = localAddresses(name);
    if (local !== undefined) return local;
    const [v4, v6] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const found = [v4, v6].flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    if (found.length > 0) return found; // IPv4 first: hosts with a broken IPv6 route are more common than the reverse.
    const reason: unknown = v4.status === "rejected" ? v4.reason : undefined;
    if (unknownToDns.has((reason as { code?: string } | undefined)?.code ?? "ENODATA"))
      return systemLookup(name);
    throw reason;
  };
}
