import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { buildConnector } from "undici";
import type { AddressGuard } from "./addresses.ts";
import type { ResolveHost } from "./resolve.ts";

/** The endpoint's address may not be dialed. Final for this attempt; nothing was sent anywhere. */
export class AddressRefused extends Error {
  readonly code = "address_refused";
}

/** A host with many addresses gets so many tries, so that the time of one attempt is bounded. */
const maxDials = 3;
/** TLS sessions that are kept for resumption, which saves a round trip and most of a handshake's CPU. */
const maxSessions = 1_000;

/**
 * Opens connections for undici. It resolves names itself, drops every address the guard refuses and dials the very addresses that were judged, so a
 * name that answers differently the second time (DNS rebinding) gains nothing. IP literals pass the same guard. For TLS the certificate is
 * verified against the name in the URL, which is also sent as SNI.
 */
export function createConnector(options: {
  readonly guard: AddressGuard;
  readonly resolve: ResolveHost;
  /** One limit for resolving, dialing and the TLS handshake. */
  readonly timeoutMs: number;
  /** Further certificate authorities (tests). */
  readonly ca?: string;
}): buildConnector.connector {
  const sessions = new Map<string, Buffer>();

  async function open({ hostname, port, protocol }: buildConnector.Options): Promise<Socket> {
    const deadline = performance.now() + options.timeoutMs;
    const host = hostname.replace(/^\[|\]$/g, "");
    const literal = isIP(host) !== 0;
    const found = literal ? [host] : await options.resolve(host);
    const refusals = found.map((address) => options.guard(address));
    const addresses = found.filter((_, index) => refusals[index] === undefined).slice(0, maxDials);
    if (addresses.length === 0) throw new AddressRefused(refusals[0] ?? `${host} has no address`);
    const secure = protocol === "https:";
    let failure = timeoutError();
    for (const [index, address] of addresses.entries()) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) break;
      const target = { address, port: Number(port) || (secure ? 443 : 80) };
      try {
        const dialMs = leftMs / (addresses.length - index);
        return await (secure
          ? dialTls(target, literal ? "" : host, dialMs)
          : dialTcp(target, dialMs));
      } catch (error) {
        failure = error as Error;
      }
    }
    throw failure;
  }

  type Target = { readonly address: string; readonly port: number };
  const dialTcp = ({ address, port }: Target, timeoutMs: number): Promise<Socket> => {
    const socket = connectTcp({ host: address, port, noDelay: true });
    return connected(socket, "connect", timeoutMs);
  };
  const dialTls = (
    { address, port }: Target,
    servername: string,
    timeoutMs: number,
  ): Promise<TLSSocket> => {
    const key = `${servername}|${address}|${port}`;
    const session = sessions.get(key);
    const socket = connectTls({
      host: address,
      port,
      servername, // empty for IP literals (RFC 6066, section 3); the certificate is then checked against the address.
      ALPNProtocols: ["http/1.1"],
      rejectUnauthorized: true,
      ...(session === undefined ? {} : { session }),
      ...(options.ca === undefined ? {} : { ca: options.ca }),
    });
    socket.setNoDelay(true);
    socket.on("session", (fresh) => {
      sessions.delete(key);
      sessions.set(key, fresh);
      if (sessions.size > maxSessions) sessions.delete(sessions.keys().next().value!);
    });
    return connected(socket, "secureConnect", timeoutMs);
  };

  return (request, callback) => {
    open(request).then(
      (socket) => callback(null, socket),
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), null),
    );
  };
}

const timeoutError = (): Error =>
  Object.assign(new Error("connect timed out"), { code: "connect_timeout" });

function connected<S extends Socket>(
  socket: S,
  event: "connect" | "secureConnect",
  timeoutMs: number,
): Promise<S> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(timeoutError()), timeoutMs);
    const failed = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    socket.once("error", failed);
    socket.once(event, () => {
      clearTimeout(timer);
      socket.off("error", failed);
      resolve(socket);
    });
  });
}
