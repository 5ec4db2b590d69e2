import type pg from "pg";

/** Nobody else asks for so long after one was told that the server is away, nor while one asks again. */
const restMs = 300;
/** Nobody listens; or, cannot_connect_now, it starts, recovers or stops. */
const away = new Set(["ECONNREFUSED", "ENOENT", "57P03"]);

type Outage = { readonly error: Error; askAt: number; readonly over: AbortController };
/** By server, for the connections of this process to whichever of its databases. */
const outages = new Map<string, Outage>();

const serverOf = ({ connectionString, host, port }: pg.ClientConfig): string => {
  if (connectionString === undefined) return `${host}:${port}`;
  const url = URL.parse(connectionString);
  return url === null ? connectionString : url.host + url.search;
};

/**
 * Why it is of no use to ask that server for a connection now. Undefined where it is not known to be away, and for one caller at a time who is to ask whether it still is: each connection that a
 * server refuses while it recovers is a process that it starts for that, of the time that it would recover in, and dozens of consumers ask again and again.
 */
export function refusalOf(config: pg.ClientConfig): Error | undefined {
  const outage = outages.get(serverOf(config));
  if (outage === undefined) return undefined;
  const now = performance.now();
  if (now < outage.askAt) return outage.error;
  outage.askAt = now + restMs;
  return undefined;
}

/** A connection was made. */
export function connectedTo(config: pg.ClientConfig): void {
  const server = serverOf(config);
  const outage = outages.get(server);
  outages.delete(server);
  outage?.over.abort();
}

/** A connection was not made, for this reason. */
export function refusedBy(config: pg.ClientConfig, error: Error): void {
  if (!away.has(String((error as { code?: unknown }).code))) return;
  const server = serverOf(config);
  const over = outages.get(server)?.over ?? new AbortController();
  outages.set(server, { error, askAt: performance.now() + restMs, over });
}

/** Ends when a server that is known to be away is back; undefined where it is not away. */
export const untilBack = (config: pg.ClientConfig): AbortSignal | undefined =>
  outages.get(serverOf(config))?.over.signal;
