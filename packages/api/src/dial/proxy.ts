import { connect as connectTcp, isIPv6, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** A way out that the operator names: `http://user:password@proxy:3128`. */
export type Proxy = {
  readonly host: string;
  readonly port: number;
  /** What is said to the proxy itself goes over TLS. */
  readonly secure: boolean;
  readonly authorization: string | undefined;
};

export function proxyOf(given: string): Proxy {
  const { protocol, hostname, port, username, password } = new URL(given);
  const secure = protocol === "https:";
  const credentials = [username, password].map(decodeURIComponent).join(":");
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port) || (secure ? 443 : 80),
    secure,
    authorization:
      username === "" && password === ""
        ? undefined
        : `Basic ${Buffer.from(credentials).toString("base64")}`,
  };
}

/** Whose fault it is. Partners read this, so it says nothing of where the proxy is. */
const fault = (code: "proxy_failed" | "proxy_refused" | "connect_timeout", message: string) =>
  Object.assign(new Error(message), { code });

/** It cannot be reached, or does not speak as a proxy. */
export const proxyAway = (): Error => fault("proxy_failed", "the operator's proxy does not answer");

/** Whether another address of the proxy may do better. */
export const isProxyFailure = (error: unknown): boolean =>
  (error as { code?: unknown }).code === "proxy_failed";

/** More head than this no proxy needs to say yes or no. */
const maxHeadBytes = 8_192;

/** What an answer to `CONNECT` other than 2xx says of the address (RFC 9110, section 9.3.6). */
function refusal(status: number): Error {
  if (status === 407 || status === 401)
    return fault("proxy_failed", `the operator's proxy wants other credentials (${status})`);
  if (status === 504) return fault("connect_timeout", "the operator's proxy gave up (504)");
  return status >= 500
    ? new Error(`the operator's proxy got no connection (${status})`)
    : fault("proxy_refused", `the operator's proxy lets nothing out to there (${status})`);
}

/**
 * A connection to an address through a proxy. The proxy is given the address that was judged and never a name, so it has nothing to resolve and reaches nothing that would not have been dialed
 * without it.
 *
 * @param at Where the proxy is.
 * @param limits `connectMs` until the proxy has the connection, `timeoutMs` for all of it.
 */
export function throughProxy(
  { host, port: proxyPort, secure, authorization }: Proxy,
  at: string,
  { address, port }: { readonly address: string; readonly port: number },
  {
    connectMs,
    timeoutMs,
    ca,
  }: { readonly connectMs: number; readonly timeoutMs: number; readonly ca: string | undefined },
): Promise<Socket> {
  const socket = secure
    ? connectTls({
        host: at,
        port: proxyPort,
        servername: isIP(host) === 0 ? host : "",
        ...(ca === undefined ? {} : { ca }),
      })
    : connectTcp({ host: at, port: proxyPort });
  socket.setNoDelay(true);
  const authority = `${isIPv6(address) ? `[${address}]` : address}:${port}`;
  const proof = authorization === undefined ? "" : `proxy-authorization: ${authorization}\r\n`;
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0);
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      socket.off("data", read).off("error", broke).off("end", broke).off("close", broke);
      if (error === undefined) return resolve(socket);
      socket.on("error", () => undefined); // of what is given up
      socket.destroy();
      reject(error);
    };
    const broke = (): void => settle(proxyAway());
    const began = performance.now();
    let timer = setTimeout(broke, connectMs);
    const late = (): void => settle(fault("connect_timeout", "connect timed out"));
    const read = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf("\r\n\r\n");
      if (end === -1) return head.length > maxHeadBytes ? broke() : undefined;
      const status = /^HTTP\/1\.[01] (\d{3})\b/.exec(head.toString("latin1", 0, 64))?.[1];
      if (status === undefined) return broke();
      if (!status.startsWith("2")) return settle(refusal(Number(status)));
      // Nobody was asked anything yet: an honest receiver cannot have said this.
      if (head.length > end + 4) return broke();
      settle();
    };
    socket.on("data", read).on("error", broke).on("end", broke).on("close", broke);
    socket.once(secure ? "secureConnect" : "connect", () => {
      clearTimeout(timer);
      timer = setTimeout(late, Math.max(1, timeoutMs - (performance.now() - began)));
      socket.write(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${proof}\r\n`);
    });
  });
}
