import { connect, createServer, type Server, type Socket } from "node:net";

/** The port that clients see, in front of the server: its connections can be cut, and it can go away and come back. */
export type Relay = {
  readonly port: number;
  cut(): void;
  listen(): Promise<void>;
  close(): Promise<void>;
};

export async function openRelay(target: number, port = 0): Promise<Relay> {
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let own = port;
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  const relay: Relay = {
    get port() {
      return own;
    },
    cut,
    async listen() {
      server = createServer({ noDelay: true }, (client) => {
        const inner = connect({ port: target, host: "127.0.0.1", noDelay: true });
        for (const [socket, other] of [
          [client, inner],
          [inner, client],
        ] as const) {
          sockets.add(socket);
          socket.on("error", () => undefined);
          socket.on("close", () => {
            sockets.delete(socket);
            other.destroy();
          });
          socket.pipe(other);
        }
      });
      await new Promise<void>((resolve, reject) => {
        server!.once("error", reject).listen(own, "127.0.0.1", resolve);
      });
      own = (server.address() as { port: number }).port;
    },
    async close() {
      const closing = server;
      server = undefined;
      const closed = new Promise<void>((resolve) =>
        closing === undefined ? resolve() : closing.close(() => resolve()),
      );
      cut();
      await closed;
    },
  };
  await relay.listen();
  return relay;
}
