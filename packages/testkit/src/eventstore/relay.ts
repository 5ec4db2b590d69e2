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

/** An answer's status leaves in a packet after its content. Under load the time alone may be over before anybody has looked for it: so many turns of the event loop come on top. */
const restMs = 5;
const restTurns = 5;

class OwnRelay implements Relay {
  readonly #target: number;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port: number;
  #next: "half" | "whole" | undefined;
  #frozen = false;

  constructor(target: number, port: number) {
    this.#target = target;
    this.#port = port;
  }

  get port(): number {
    return this.#port;
  }

  readonly cut = (): void => {
    this.#next = undefined;
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  };

  cutNext(part: "half" | "whole"): void {
    this.#next = part;
  }

  freeze(): void {
    this.#frozen = true;
    for (const socket of this.#sockets) socket.pause();
  }

  thaw(): void {
    this.#frozen = false;
    for (const socket of this.#sockets) socket.resume();
  }

  async listen(): Promise<void> {
    if (this.#server !== undefined) return;
    const opening = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
      const inner = connect({
        port: this.#target,
        host: "127.0.0.1",
        noDelay: true,
        allowHalfOpen: true,
      });
      this.#pass(client, inner, false);
      this.#pass(inner, client, true);
    });
    this.#server = opening;
    await new Promise<void>((resolve, reject) => {
      opening.once("error", reject).listen(this.#port, "127.0.0.1", resolve);
    });
    this.#port = (opening.address() as { port: number }).port;
  }

  async close(): Promise<void> {
    const closing = this.#server;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) =>
      closing === undefined ? resolve() : closing.close(() => resolve()),
    );
    this.cut();
    await closed;
  }

  #pass(from: Socket, to: Socket, answers: boolean): void {
    this.#sockets.add(from);
    if (this.#frozen) from.pause();
    from.on("error", () => undefined);
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    from.on("end", () => to.end());
    to.on("drain", () => !this.#frozen && from.resume());
    from.on("data", (chunk: Buffer) => {
      if (answers && this.#next !== undefined && chunk.length > longestHousekeepingBytes)
        this.#cutAt(chunk, from, to);
      else if (!to.write(chunk)) from.pause();
    });
  }

  #cutAt(chunk: Buffer, from: Socket, to: Socket): void {
    const half = this.#next === "half";
    this.#next = undefined;
    if (half) {
      from.pause();
      to.write(chunk.subarray(0, chunk.length >> 1), this.cut);
    } else {
      to.write(chunk);
      let turns = restTurns;
      const turn = (): void => void (turns-- > 0 ? setImmediate(turn) : this.cut());
      setTimeout(turn, restMs);
    }
  }
}

/** Listens in front of the server, on a port of its own; without one on a free one. */
export async function openRelay(target: number, port = 0): Promise<Relay> {
  const relay = new OwnRelay(target, port);
  await relay.listen();
  return relay;
}
