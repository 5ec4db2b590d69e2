import { connect, createServer, type Server, type Socket } from "node:net";

/** The port that clients see, in front of the server: its connections can be cut, and it can go away and come back. */
export type Relay = {
  readonly port: number;
  cut(): void;
  /** Cuts when the next answer has left, by half or as a whole. */
  cutNext(part: "half" | "whole"): void;
  /** Nothing passes any more, and nothing ends: connections are accepted and stay as they are, as those of a process that was stopped. */
  freeze(): void;
  /** What was held back passes, and the rest after it. */
  thaw(): void;
  listen(): Promise<void>;
  close(): Promise<void>;
};

/** HTTP/2 frames that answer nothing are no longer than this: an acknowledged ping, 9 bytes of header and 8 of content. */
const longestHousekeepingBytes = 17;

/** An answer's status leaves in a packet after its content, written in the same turn. */
const restMs = 5;

export async function openRelay(target: number, port = 0): Promise<Relay> {
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let own = port;
  let next: "half" | "whole" | undefined;
  let frozen = false;
  const cut = (): void => {
    next = undefined;
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };

  function pass(from: Socket, to: Socket, answers: boolean): void {
    sockets.add(from);
    if (frozen) from.pause();
    from.on("error", () => undefined);
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
    from.on("end", () => to.end());
    to.on("drain", () => !frozen && from.resume());
    from.on("data", (chunk: Buffer) => {
      if (answers && next !== undefined && chunk.length > longestHousekeepingBytes) {
        const half = next === "half";
        next = undefined;
        if (half) {
          from.pause();
          to.write(chunk.subarray(0, chunk.length >> 1), cut);
        } else {
          to.write(chunk);
          setTimeout(cut, restMs);
        }
      } else if (!to.write(chunk)) from.pause();
    });
  }

  const relay: Relay = {
    get port() {
      return own;
    },
    cut,
    cutNext: (part) => void (next = part),
    freeze() {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    thaw() {
      frozen = false;
      for (const socket of sockets) socket.resume();
    },
    async listen() {
      if (server !== undefined) return;
      server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
        const inner = connect({
          port: target,
          host: "127.0.0.1",
          noDelay: true,
          allowHalfOpen: true,
        });
        pass(client, inner, false);
        pass(inner, client, true);
      });
      const opening = server;
      await new Promise<void>((resolve, reject) => {
        opening.once("error", reject).listen(own, "127.0.0.1", resolve);
      });
      own = (opening.address() as { port: number }).port;
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
