import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { ServiceContext } from "@heliograph/runtime";
import { createAddressGuard, type AddressGuard } from "./guard.ts";
import { isProxyFailure, proxyAway, proxyOf, throughProxy, type Proxy } from "./proxy.ts";
import { createResolver, type ResolveHost } from "./resolve.ts";

/** What took how long until there was a connection. */
type Timing = { dns_ms?: number; connect_ms?: number; tls_ms?: number };

/** Where a connection goes; `host` is a name or an IP literal without brackets. */
export type DialTarget = {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  /** Over TLS the receiver may choose HTTP/2: then that is the `alpnProtocol` of the socket. */
  readonly http2?: boolean;
};
/** Opens a connection, TLS included, and notes in `timing` what took how long, also where it fails. Rejects with AddressRefused or what the network said; `cut` is true of an error where somebody had cut the connection, TLS still under way or not. */
export type Dial = (target: DialTarget, timing: Timing) => Promise<Socket>;

/** The address may not be dialed. Nothing was sent anywhere. */
export class AddressRefused extends Error {
  readonly code = "address_refused";
}

/** A host with many addresses gets so many tries, so that the time of one attempt is bounded. */
const maxDials = 3;
/** TLS sessions that are kept for resumption, which saves a round trip and most of a handshake's CPU. */
const maxSessions = 1_000;
/** Of one connection. Servers send two; each costs some 17 µs, and 20,000 of them, 5 MB, held everything else up for 350 ms. */
const maxTickets = 32;

export function dialTarget(url: URL): DialTarget {
  const secure = url.protocol === "https:";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return { host, port: Number(url.port) || (secure ? 443 : 80), secure };
}

/** What tests put in the place of DNS and of the authorities that everybody trusts. */
export type DialOptions = { readonly resolve?: ResolveHost; readonly ca?: string };

/** As the operator set it. */
export const dialAs = (
  {
    webhookAllowCidrs,
    webhookProxy,
  }: Pick<ServiceContext["settings"], "webhookAllowCidrs" | "webhookProxy">,
  { resolve = createResolver(), ca }: DialOptions,
  timeoutMs: number,
): Dial =>
  createDial({
    guard: createAddressGuard(webhookAllowCidrs),
    resolve,
    timeoutMs,
    ...(ca === undefined ? {} : { ca }),
    ...(webhookProxy === undefined ? {} : { proxy: proxyOf(webhookProxy) }),
  });

type Dialing = {
  readonly guard: AddressGuard;
  readonly resolve: ResolveHost;
  /** One limit for resolving, dialing and the TLS handshake. */
  readonly timeoutMs: number;
  /** Further certificate authorities (tests). */
  readonly ca?: string;
  /** Through which connections to public addresses go. */
  readonly proxy?: Proxy;
};

type Open = (
  address: string,
  target: DialTarget,
  timeoutMs: number,
  timing: Timing,
) => Promise<Socket>;

/** A way to an address through a proxy, of whose own addresses the first few are tried. */
async function tunnelTo(
  through: Proxy,
  options: Pick<Dialing, "resolve" | "ca">,
  address: string,
  target: DialTarget,
  timeoutMs: number,
  timing: Timing,
): Promise<Socket> {
  const began = performance.now();
  const until = began + timeoutMs;
  try {
    const isName = isIP(through.host) === 0;
    const found = isName ? await options.resolve(through.host).catch(() => []) : [through.host];
    const places = found.slice(0, maxDials);
    for (const [index, at] of places.entries()) {
      const leftMs = Math.max(1, until - performance.now());
      const limits = { connectMs: leftMs / (places.length - index), timeoutMs: leftMs };
      try {
        const to = { address, port: target.port };
        return await throughProxy(through, at, to, { ...limits, ca: options.ca });
      } catch (error) {
        // Whatever else it says, it says of the receiver.
        if (!isProxyFailure(error) || index === places.length - 1) throw error;
      }
    }
    throw proxyAway();
  } finally {
    timing.connect_ms = msSince(began);
  }
}

/** What only the operator's list lets through is near this process and not the proxy, whose own loopback is another. */
const refusedToAll = createAddressGuard([]);
const isPublic = (address: string): boolean => refusedToAll(address) === undefined;

/** Opens connections to addresses that were judged, to public ones through the proxy where there is one. */
function openerOf(options: Omit<Dialing, "guard" | "timeoutMs">): Open {
  const { proxy } = options;
  const sessions = new Map<string, Buffer>();

  function dialTls(
    address: string,
    { host, port, http2 = false }: DialTarget,
    tunnel: Socket | undefined,
  ): TLSSocket {
    const servername = isIP(host) === 0 ? host : ""; // no SNI for literals (RFC 6066, section 3); the certificate must name the address then
    const key = `${servername}|${address}|${port}`;
    const session = sessions.get(key);
    const socket = connectTls({
      ...(tunnel === undefined ? { host: address, port } : { socket: tunnel }),
      servername,
      ALPNProtocols: http2 ? ["h2", "http/1.1"] : ["http/1.1"],
      rejectUnauthorized: true,
      ...(session === undefined ? {} : { session }),
      ...(options.ca === undefined ? {} : { ca: options.ca }),
    });
    let tickets = 0;
    socket.on("session", (fresh) => {
      if (++tickets > maxTickets) {
        const error = new Error(`more than ${maxTickets} session tickets`);
        return socket.destroy(Object.assign(error, { code: "tls_failed" }));
      }
      sessions.delete(key);
      sessions.set(key, fresh);
      if (sessions.size > maxSessions) sessions.delete(sessions.keys().next().value!);
    });
    return socket;
  }

  return async (address, target, timeoutMs, timing) => {
    const until = performance.now() + timeoutMs;
    const tunnel =
      proxy !== undefined && isPublic(address)
        ? await tunnelTo(proxy, options, address, target, timeoutMs, timing)
        : undefined;
    if (tunnel !== undefined && !target.secure) return tunnel;
    const socket = target.secure
      ? dialTls(address, target, tunnel)
      : connectTcp({ host: address, port: target.port });
    socket.setNoDelay(true);
    const event = target.secure ? "secureConnect" : "connect";
    const leftMs = Math.max(1, until - performance.now());
    return connected(socket, event, leftMs, timing, tunnel !== undefined);
  };
}

/**
 * It resolves names itself, drops every address the guard refuses and dials the very addresses that were judged, so a name that answers differently
 * the second time (DNS rebinding) gains nothing. IP literals pass the same guard. For TLS the certificate is verified against the name in the
 * URL, which is also sent as SNI. With a proxy the same holds: it is asked for a way to the address that was judged, if that is a public one.
 */
export function createDial(options: Dialing): Dial {
  const open = openerOf(options);
  return async (target, timing) => {
    const began = performance.now();
    const deadline = began + options.timeoutMs;
    const isName = isIP(target.host) === 0;
    const found = isName
      ? await options.resolve(target.host).finally(() => (timing.dns_ms = msSince(began)))
      : [target.host];
    const refusals = found.map((address) => options.guard(address));
    const addresses = found.filter((_, index) => refusals[index] === undefined).slice(0, maxDials);
    if (addresses.length === 0)
      throw new AddressRefused(isName ? `${target.host} has no public address` : refusals[0]);
    // Of several failures the first that got furthest is told: a certificate says more than a port of another address that is closed.
    let failure: Failure | undefined;
    for (const [index, address] of addresses.entries()) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) break;
      try {
        return await open(address, target, leftMs / (addresses.length - index), timing);
      } catch (error) {
        const fresh = error as Failure;
        if (failure === undefined || (fresh.reached && !failure.reached)) failure = fresh;
      }
    }
    throw failure ?? timeoutError();
  };
}

/** `reached`: the address took the connection. */
type Failure = Error & { readonly reached?: boolean };
/** How a network says that a connection was cut, which says nothing of the next one. */
const cutCodes: ReadonlySet<string | undefined> = new Set(["ECONNRESET", "EPIPE"]);

const msSince = (tick: number): number => Math.round(performance.now() - tick);

const timeoutError = (): Error =>
  Object.assign(new Error("connect timed out"), { code: "connect_timeout" });

function connected(
  socket: Socket,
  event: "connect" | "secureConnect",
  timeoutMs: number,
  timing: Timing,
  isReached: boolean,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let reached = isReached;
    let began = performance.now();
    delete timing.tls_ms; // of an address that was tried before
    const note = (part: "connect_ms" | "tls_ms"): void => {
      timing[part] = msSince(began);
      began = performance.now();
    };
    const timer = setTimeout(() => socket.destroy(timeoutError()), timeoutMs);
    const failed = (error: Error & { code?: string }): void => {
      clearTimeout(timer);
      note(reached ? "tls_ms" : "connect_ms");
      // What goes wrong between the connection and its first use is TLS's fault, whatever the system calls it.
      const code = reached && error.code !== "connect_timeout" ? "tls_failed" : error.code;
      reject(Object.assign(error, { code, reached, cut: cutCodes.has(error.code) }));
    };
    socket.once("error", failed);
    socket.once("connect", () => {
      reached = true;
      note("connect_ms");
    });
    socket.once(event, () => {
      if (event === "secureConnect") note("tls_ms");
      clearTimeout(timer);
      socket.off("error", failed);
      resolve(socket);
    });
  });
}
