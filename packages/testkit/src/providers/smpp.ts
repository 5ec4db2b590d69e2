import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import {
  deliverFrame,
  frameOf,
  readBind,
  readSubmit,
  string,
  type Delivered,
  type WireSubmit,
} from "./smpp-wire.ts";

export type { Delivered, WireSubmit } from "./smpp-wire.ts";

/** What a message centre can do about a submit. */
export type SmscReaction =
  | { readonly type: "accept"; readonly id?: string; readonly delayMs?: number }
  | { readonly type: "refuse"; readonly status: number }
  /** Takes it, and answers when `answer` is called, or never. */
  | { readonly type: "silent" }
  /** Takes it, and hangs up. */
  | { readonly type: "close" }
  /** Takes it, and answers with what is no SMPP: a length that no PDU has. */
  | { readonly type: "garbage"; readonly length?: number }
  | { readonly type: "nack"; readonly status: number }
  /** Answers with a number that nobody used, and then rightly. */
  | { readonly type: "stranger" };

/** What it can do about a bind; left out: it looks at the password. */
export type BindReaction = { readonly status: number } | "close" | "silent";

export type Submitted = WireSubmit & { readonly session: number; readonly taken: boolean };
export type SmscDouble = {
  readonly host: "127.0.0.1";
  readonly port: number;
  readonly submits: readonly Submitted[];
  /** Tries to bind, in their order. */
  readonly binds: readonly {
    readonly command: number;
    readonly systemId: string;
    readonly at: number;
  }[];
  /** Sessions that are bound now, by their numbers. */
  readonly bound: readonly number[];
  /** Other commands that came, by their numbers: enquire_link 0x15, unbind 0x6, generic_nack 0x80000000. */
  readonly others: readonly {
    readonly command: number;
    readonly sequence: number;
    readonly status: number;
  }[];
  behave(react: (submit: WireSubmit, index: number) => SmscReaction): void;
  onBind(reaction: BindReaction | undefined): void;
  /** From now on nothing is read of this session or said to it, as when the centre hangs. */
  freeze(session: number): void;
  /** From now on what is sent to this session stays on its way, and fills the buffers there. */
  stall(session: number): void;
  /** Answers a submit that was met with silence. */
  answer(submit: Submitted, id: string, status?: number): void;
  /** Gives the status with which it is answered. To the first session that receives, or to the one named. */
  deliver(delivered: Delivered, session?: number): Promise<number>;
  /** Raw bytes to a session. */
  write(bytes: Buffer, session?: number): void;
  hangUp(): void;
  close(): Promise<void>;
};

type Session = {
  readonly number: number;
  readonly socket: Socket;
  bound: number | undefined;
  readonly waiting: Map<number, (status: number) => void>;
};

class Smsc {
  readonly submits: Submitted[] = [];
  readonly binds: { command: number; systemId: string; at: number }[] = [];
  readonly others: { command: number; sequence: number; status: number }[] = [];
  readonly sessions = new Set<Session>();
  react: (submit: WireSubmit, index: number) => SmscReaction = () => ({ type: "accept" });
  bindReaction: BindReaction | undefined;
  readonly #account: { readonly systemId: string; readonly password: string };
  readonly #idOf: (count: number) => string;
  #count = 0;
  #sessionCount = 0;
  #sequence = 0;

  constructor(
    account: { readonly systemId: string; readonly password: string },
    idOf: (count: number) => string,
  ) {
    this.#account = account;
    this.#idOf = idOf;
  }

  accept(socket: Socket): void {
    const session: Session = {
      number: ++this.#sessionCount,
      socket,
      bound: undefined,
      waiting: new Map(),
    };
    this.sessions.add(session);
    socket.setNoDelay(true);
    // Each delivery that waits for its answer listens.
    socket.setMaxListeners(0);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.sessions.delete(session));
    let rest = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= rest.readUInt32BE(0)) {
        const frame = rest.subarray(0, rest.readUInt32BE(0));
        rest = rest.subarray(frame.length);
        this.#take(session, frame);
      }
    });
  }

  #take(session: Session, frame: Buffer): void {
    const command = frame.readUInt32BE(4);
    const status = frame.readUInt32BE(8);
    const sequence = frame.readUInt32BE(12);
    const { socket } = session;
    switch (command) {
      case 0x1:
      case 0x2:
      case 0x9:
        return this.#bind(session, command, sequence, frame);
      case 0x4:
        return this.#submit(session, readSubmit(frame));
      case 0x8000_0005:
        session.waiting.get(sequence)?.(status);
        return void session.waiting.delete(sequence);
      default:
        this.others.push({ command, sequence, status });
        if (command === 0x15) socket.write(frameOf(0x8000_0015, 0, sequence));
        if (command === 0x6) socket.end(frameOf(0x8000_0006, 0, sequence));
    }
  }

  #bind(session: Session, command: number, sequence: number, frame: Buffer): void {
    const { systemId, password } = readBind(frame);
    this.binds.push({ command, systemId, at: performance.now() });
    const right = systemId === this.#account.systemId && password === this.#account.password;
    const reaction = this.bindReaction ?? { status: right ? 0 : 0x0e };
    if (reaction === "silent") return;
    if (reaction === "close") return void session.socket.destroy();
    if (reaction.status === 0) session.bound = command;
    session.socket.write(
      frameOf(command + 0x8000_0000, reaction.status, sequence, string("double")),
    );
  }

  #submit(session: Session, submit: WireSubmit): void {
    const reaction = this.react(submit, this.submits.length);
    const taken = reaction.type !== "refuse" && reaction.type !== "nack";
    this.submits.push({ ...submit, session: session.number, taken });
    const { socket } = session;
    const { sequence } = submit;
    switch (reaction.type) {
      case "accept": {
        const id = reaction.id ?? this.#idOf(++this.#count);
        const answer = frameOf(0x8000_0004, 0, sequence, string(id));
        if (reaction.delayMs === undefined) return void socket.write(answer);
        setTimeout(() => socket.write(answer), reaction.delayMs).unref();
        return;
      }
      case "refuse":
        return void socket.write(frameOf(0x8000_0004, reaction.status, sequence));
      case "silent":
        return;
      case "close":
        return void socket.destroy();
      case "garbage": {
        const bytes = Buffer.alloc(16, 0x41);
        bytes.writeUInt32BE(reaction.length ?? 0, 0);
        return void socket.write(bytes);
      }
      case "nack":
        return void socket.write(frameOf(0x8000_0000, reaction.status, sequence));
      case "stranger":
        socket.write(frameOf(0x8000_0004, 0, sequence + 1_000, string("stranger")));
        socket.write(frameOf(0x8000_0004, 0, sequence, string(this.#idOf(++this.#count))));
        return;
      default:
        reaction satisfies never;
    }
  }

  sessionOf(number: number | undefined, receives: boolean): Session {
    const found = [...this.sessions].find(({ number: one, bound }) =>
      number === undefined ? bound !== undefined && (!receives || bound !== 0x2) : one === number,
    );
    if (found === undefined) throw new Error("nobody is bound");
    return found;
  }

  deliver(delivered: Delivered, number: number | undefined): Promise<number> {
    const { socket, waiting } = this.sessionOf(number, true);
    const sequence = ++this.#sequence;
    return new Promise((resolve, reject) => {
      waiting.set(sequence, resolve);
      socket.once("close", () => reject(new Error("hung up without an answer")));
      socket.write(deliverFrame(sequence, delivered));
    });
  }
}

/** A message centre on loopback that keeps every submit. Ids are counted, in decimal as they are or as `idOf` says. */
export async function smscDouble({
  systemId = "heliograph",
  password = "secret",
  idOf = String,
  tls,
}: {
  readonly systemId?: string;
  readonly password?: string;
  readonly idOf?: (count: number) => string;
  /** PEM texts: then it speaks TLS alone. */
  readonly tls?: { readonly key: string; readonly cert: string };
} = {}): Promise<SmscDouble> {
  const smsc = new Smsc({ systemId, password }, idOf);
  const accept = (socket: Socket): void => smsc.accept(socket);
  // Who does not believe the certificate hangs up.
  const server = tls
    ? createTlsServer(tls, accept).on("tlsClientError", () => undefined)
    : createServer(accept);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const hangUp = (): void => {
    for (const { socket } of smsc.sessions) socket.destroy();
  };
  return {
    host: "127.0.0.1",
    port,
    submits: smsc.submits,
    binds: smsc.binds,
    others: smsc.others,
    get bound() {
      return [...smsc.sessions]
        .filter(({ bound }) => bound !== undefined)
        .map(({ number }) => number);
    },
    behave: (react) => void (smsc.react = react),
    onBind: (reaction) => void (smsc.bindReaction = reaction),
    freeze: (session) => void smsc.sessionOf(session, false).socket.removeAllListeners("data"),
    stall: (session) => void smsc.sessionOf(session, false).socket.pause(),
    answer({ session, sequence }, id, status = 0) {
      const { socket } = smsc.sessionOf(session, false);
      socket.write(frameOf(0x8000_0004, status, sequence, ...(status === 0 ? [string(id)] : [])));
    },
    deliver: (delivered, session) => smsc.deliver(delivered, session),
    write: (bytes, session) => void smsc.sessionOf(session, false).socket.write(bytes),
    hangUp,
    async close() {
      hangUp();
      server.close();
      await once(server, "close");
    },
  };
}
