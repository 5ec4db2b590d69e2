import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";

/** What the network does to each piece of data, from now on. Zeros: it passes at once. */
export type NetworkWeather = {
  /** Each piece takes so long, either way; opening a connection takes one way and back. */
  readonly delayMs: number;
  /** The share of pieces that are lost once or more and arrive when TCP has sent them again: everything behind them waits too. */
  readonly loss: number;
  /** The share of pieces at which the connection is reset. */
  readonly resets: number;
  /** The share of pieces at which the connection goes silent for good: it stays open on both sides, and nothing passes any more, not even its end. */
  readonly silences: number;
};

/** A way to a server of this machine whose weather can be changed. */
export type NetworkLink = {
  readonly port: number;
  /** For the connections that there are and those to come. What is under way arrives when it would have. */
  weather(weather: Partial<NetworkWeather>): void;
  /** What has happened so far. */
  readonly seen: {
    readonly pieces: number;
    readonly lost: number;
    readonly resets: number;
    readonly silences: number;
  };
  /** Cuts all connections and stops listening. */
  close(): Promise<void>;
};

const fair: NetworkWeather = { delayMs: 0, loss: 0, resets: 0, silences: 0 };
/** What Linux waits at least before it sends again what was not acknowledged (TCP_RTO_MIN); twice as long each time. */
const retransmitMs = 200;
/** On the way in one direction; a sender that is faster has to wait, as behind a full TCP window. */
const maxUnderWayBytes = 256 * 1024;

/**
 * Listens on a free port of 127.0.0.1 and passes what comes to the target's port, there and back, as slow and lossy as the weather says; fair at first.
 * `random` decides (0 up to 1): the same source and the same traffic have the same fate.
 */
export async function networkLink(options: {
  readonly target: number;
  readonly random?: () => number;
}): Promise<NetworkLink> {
  const random = options.random ?? Math.random;
  const sockets = new Set<Socket>();
  const seen = { pieces: 0, lost: 0, resets: 0, silences: 0 };
  let weather = fair;

  /** How long a piece is under way; what is lost is sent again until it arrives. */
  function wayMs(): number {
    let ms = weather.delayMs;
    let waitMs = retransmitMs;
    while (random() < weather.loss) {
      if (waitMs === retransmitMs) seen.lost++;
      ms += waitMs * (1 + random());
      waitMs *= 2;
    }
    return ms;
  }

  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const inner = connect({
      port: options.target,
      host: "127.0.0.1",
      noDelay: true,
      allowHalfOpen: true,
    });
    const line = { silent: false };
    const openMs = 2 * weather.delayMs;
    pass(client, inner, line, openMs);
    pass(inner, client, line, openMs);
  });

  /** One direction of a connection. Pieces arrive in the order in which they left, however long each was under way. */
  function pass(from: Socket, to: Socket, line: { silent: boolean }, openMs: number): void {
    const underWay: { readonly at: number; readonly bytes: number; readonly arrive: () => void }[] =
      [];
    let bytes = 0;
    let timer: NodeJS.Timeout | undefined;
    let lastAt = performance.now() + openMs;

    function send(size: number, arrive: () => void): void {
      lastAt = Math.max(lastAt, performance.now() + wayMs());
      bytes += size;
      underWay.push({ at: lastAt, bytes: size, arrive });
      if (bytes >= maxUnderWayBytes) from.pause();
      if (timer === undefined) arrivals();
    }
    function arrivals(): void {
      timer = undefined;
      for (;;) {
        const next = underWay[0];
        if (next === undefined) break;
        const restMs = next.at - performance.now();
        if (restMs > 0) {
          timer = setTimeout(arrivals, restMs);
          break;
        }
        underWay.shift();
        bytes -= next.bytes;
        if (!line.silent) next.arrive();
      }
      if (bytes < maxUnderWayBytes && !to.writableNeedDrain) from.resume();
    }

    sockets.add(from);
    from.on("error", () => undefined);
    from.on("data", (piece: Buffer) => {
      seen.pieces++;
      if (line.silent) return;
      if (random() < weather.resets) {
        seen.resets++;
        from.resetAndDestroy();
        to.resetAndDestroy();
      } else if (random() < weather.silences) {
        seen.silences++;
        line.silent = true;
      } else
        send(piece.length, () => {
          if (!to.write(piece)) from.pause();
        });
    });
    to.on("drain", () => {
      if (bytes < maxUnderWayBytes) from.resume();
    });
    from.on("end", () => send(0, () => to.end()));
    from.on("close", () => {
      sockets.delete(from);
      // A side that nobody tells of the end stays open until the link is closed.
      send(0, () => to.destroy());
    });
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: 0, host: "127.0.0.1" }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    weather: (next) => void (weather = { ...fair, ...next }),
    seen,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
