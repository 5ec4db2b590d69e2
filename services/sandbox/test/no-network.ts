import dns from "node:dns";
import net from "node:net";

/**
 * From here on this process reaches nothing but what is allowed: every other connection is denied and told, and so is every name that is looked up.
 * All sockets of Node pass `Socket.prototype.connect`, those of `fetch`, of TLS and of the drivers too.
 */
export function denyNetwork(
  allowed: (to: { readonly host: string; readonly port: number }) => boolean,
) {
  const attempts: string[] = [];
  const { connect } = net.Socket.prototype;
  const { lookup } = dns;
  const deny = (what: string): Error => {
    attempts.push(what);
    return new Error(`denied: ${what}`);
  };
  net.Socket.prototype.connect = function (this: net.Socket, ...args: unknown[]) {
    const [first] = args.flat() as [
      { path?: string; port?: unknown; host?: string } | number | string,
    ];
    const options: { path?: string; port?: unknown; host?: string } =
      typeof first === "object"
        ? first
        : typeof first === "string"
          ? { path: first }
          : { port: first };
    const { host = "localhost" } = options;
    const port = Number(options.port);
    if (options.path?.includes(".s.PGSQL.") !== true && !allowed({ host, port })) {
      this.destroy(deny(options.path ?? `${host}:${port}`));
      return this;
    }
    return Reflect.apply(connect, this, args) as net.Socket;
  } as typeof connect;
  dns.lookup = ((name: string, ...rest: unknown[]) => {
    if (name === "localhost" || net.isIP(name) > 0)
      return Reflect.apply(lookup, dns, [name, ...rest]);
    (rest.at(-1) as (error: Error) => void)(deny(`dns ${name}`));
    return {};
  }) as unknown as typeof lookup;
  return {
    attempts,
    restore() {
      net.Socket.prototype.connect = connect;
      dns.lookup = lookup;
    },
  };
}
