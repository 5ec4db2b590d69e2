import net from "node:net";
import type pg from "pg";

type TcpProxy = {
  readonly config: pg.PoolConfig;
  /** Refuses new connections and cuts those there are. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  /**
   * Lets the next statement that contains `text` reach the server, then cuts its connection as soon as the server
   * answers, before a byte of the answer arrives: the commit that nobody heard of. Resolves when that has happened.
   */
  loseAnswerTo(text: string): Promise<void>;
  close(): Promise<void>;
};

/** A cable between pg and the server that a test can pull. */
export async function tcpProxy(target: pg.PoolConfig): Promise<TcpProxy> {
  const sockets = new Set<net.Socket>();
  let losing: { readonly text: string; readonly done: () => void } | undefined;

  const server = net.createServer((client) => {
    const upstream = target.host?.startsWith("/")
      ? net.connect(`${target.host}/.s.PGSQL.${target.port}`)
      : net.connect(Number(target.port), target.host ?? "127.0.0.1");
    let lose: (() => void) | undefined;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on("data", (chunk) => {
      if (losing !== undefined && chunk.includes(losing.text)) {
        lose = losing.done;
        losing = undefined;
      }
      upstream.write(chunk);
    });
    upstream.on("data", (chunk) => {
      if (lose === undefined) return void client.write(chunk);
      client.destroy();
      lose();
    });
  });

  const listen = (port: number) =>
    new Promise<void>((resolve) => void server.listen(port, "127.0.0.1", resolve));
  const unlisten = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });

  await listen(0);
  const { port } = server.address() as net.AddressInfo;
  return {
    config: { ...target, host: "127.0.0.1", port },
    cut: unlisten,
    mend: () => listen(port),
    loseAnswerTo: (text) =>
      new Promise<void>((resolve) => {
        losing = { text, done: resolve };
      }),
    close: async () => {
      if (server.listening) await unlisten();
    },
  };
}
