import { type AddressInfo, type Socket, connect, createServer } from "node:net";

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
  /** The address now leads to another port: every connection is cut, and those to come go there. */
  lead(target: number): void;
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

/** What all connections of a link share. */
class Shared {
  readonly sockets = new Set<Socket>();
  readonly seen = { pieces: 0, lost: 0, resets: 0, silences: 0 };
  readonly random: () => number;
  weather = fair;

  constructor(random: () => number) {
    this.random = random;
  }

  /** How long a piece is under way; what is lost is sent again until it arrives. */
  wayMs(): number {
    let ms = this.weather.delayMs;
    let waitMs = retransmitMs;
    while (this.random() < this.weather.loss) {
      if (waitMs === retransmitMs) this.seen.lost++;
      ms += waitMs * (1 + this.random());
      waitMs *= 2;
    }
    return ms;
  }
}

/** One direction of a connection. Pieces arrive in the order in which they left, however long each was under way. */
class Direction {
  readonly #shared: Shared;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #line: { silent: boolean };
  readonly #underWay: {
    readonly at: number;
    readonly bytes: number;
    readonly arrive: () => void;
  }[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #lastAt: number;

  constructor(shared: Shared, from: Socket, to: Socket, line: { silent: boolean }, openMs: number) {
    this.#shared = shared;
    this.#from = from;
    this.#to = to;
    this.#line = line;
    this.#lastAt = performance.now() + openMs;
    shared.sockets.add(from);
    from.on("error", () => undefined);
    from.on("data", (piece: Buffer) => this.#take(piece));
    to.on("drain", () => {
      if (this.#bytes < maxUnderWayBytes) from.resume();
    });
    from.on("end", () => this.#send(0, () => to.end()));
    from.on("close", () => {
      shared.sockets.delete(from);
      // A side that nobody tells of the end stays open until the link is closed.
      this.#send(0, () => to.destroy());
    });
  }

  #take(piece: Buffer): void {
    const { seen, random, weather } = this.#shared;
    seen.pieces++;
    if (this.#line.silent) return;
    if (random() < weather.resets) {
      seen.resets++;
      this.#from.resetAndDestroy();
      this.#to.resetAndDestroy();
    } else if (random() < weather.silences) {
      seen.silences++;
      this.#line.silent = true;
    } else
      this.#send(piece.length, () => {
        if (!this.#to.write(piece)) this.#from.pause();
      });
  }

  #send(size: number, arrive: () => void): void {
    this.#lastAt = Math.max(this.#lastAt, performance.now() + this.#shared.wayMs());
    this.#bytes += size;
    this.#underWay.push({ at: this.#lastAt, bytes: size, arrive });
    if (this.#bytes >= maxUnderWayBytes) this.#from.pause();
    if (this.#timer === undefined) this.#arrivals();
  }

  #arrivals(): void {
    this.#timer = undefined;
    for (;;) {
      const next = this.#underWay[0];
      if (next === undefined) break;
      const restMs = next.at - performance.now();
      if (restMs > 0) {
        this.#timer = setTimeout(() => this.#arrivals(), restMs);
        break;
      }
      this.#underWay.shift();
      this.#bytes -= next.bytes;
      if (!this.#line.silent) next.arrive();
    }
    if (this.#bytes < maxUnderWayBytes && !this.#to.writableNeedDrain) this.#from.resume();
  }
}

/**
 * Listens on a free port of 127.0.0.1 and passes what comes to the target's port, there and back, as slow and lossy as the weather says; fair at first.
 * `random` decides (0 up to 1): the same source and the same traffic have the same fate.
 */
export async function networkLink(options: {
  readonly target: number;
  readonly random?: () => number;
}): Promise<NetworkLink> {
  const shared = new Shared(options.random ?? Math.random);
  const cut = (): void => {
    for (const socket of shared.sockets) socket.destroy();
  };
  let { target } = options;
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const inner = connect({
      port: target,
      host: "127.0.0.1",
      noDelay: true,
      allowHalfOpen: true,
    });
    const line = { silent: false };
    const openMs = 2 * shared.weather.delayMs;
    void [
      new Direction(shared, client, inner, line, openMs),
      new Direction(shared, inner, client, line, openMs),
    ];
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: 0, host: "127.0.0.1" }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    weather: (next) => void (shared.weather = { ...fair, ...next }),
    lead(next) {
      target = next;
      cut();
    },
    seen: shared.seen,
    close() {
      cut();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
