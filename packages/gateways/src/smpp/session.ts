import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { decodePdu, encodePdu, type Malformed } from "./codec.ts";
import { createFrames } from "./frames.ts";
import { type Command, commandIds, type Fields, type Pdu, type PduOf, status } from "./pdu.ts";
import type { Submit } from "./submit.ts";
import type { Timing } from "./timing.ts";

/** Deliveries of one connection that are being stored, and their octets: beyond this the message centre is asked to come again. */
const maxStoring = 1_000;
const maxStoringBytes = 4 * 1024 * 1024;
/** What waits to be written to a message centre that does not read: a full window of the longest texts is 3.3 MB. It could make us answer without end. */
const maxUnwrittenBytes = 4 * 1024 * 1024;
/** Odd things of one connection that are told: a centre that says nothing else fills no log. */
const maxOdd = 100;
/** Submits that were given up and may be answered still. */
const maxLate = 10_000;
/** Sequence numbers are 1 to 0x7fffffff (section 3.2). */
const lastSequence = 0x7fff_ffff;

export type Outcome =
  /** By its answer or by a generic_nack. */
  | { readonly type: "answered"; readonly status: number; readonly messageId: string }
  /** Not within its time; it may come yet. */
  | { readonly type: "silent" }
  /** The connection ended, or what came was no answer. */
  | { readonly type: "lost" };

export type Delivery = PduOf<"deliver_sm"> | PduOf<"data_sm">;
export type SessionEvents = {
  /** Gives the status of the answer, once what was delivered is stored. `raw` is the frame. */
  readonly delivered: (raw: Buffer) => Promise<number>;
  /** A submit has left its place in the window. */
  readonly room: () => void;
  readonly closed: (reason: string) => void;
  readonly odd: (what: string, fields: object) => void;
};

export type BindCommand = "bind_transceiver" | "bind_transmitter" | "bind_receiver";
export type SessionOptions = {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly bind: BindCommand;
  readonly account: Fields<BindCommand>;
  readonly timing: Timing;
};

/** The message centre does not take the bind. */
export class BindRefused extends Error {
  override readonly name = "BindRefused";
  readonly status: number;
  constructor(refused: number) {
    super(`the bind was answered with 0x${refused.toString(16)}`);
    this.status = refused;
  }
}

type Waiting = {
  readonly command: Command;
  readonly settle: (outcome: Outcome) => void;
  readonly timer: NodeJS.Timeout;
  /** Its time is over. */
  late: boolean;
};

/** One bound connection: numbers, deadlines and the window of what was sent, answers to what comes. Ends for good with its socket. */
export class Session {
  readonly #socket: Socket;
  readonly #events: SessionEvents;
  readonly #timing: Timing;
  readonly #frames = createFrames();
  readonly #waiting = new Map<number, Waiting>();
  #sequence: number;
  #late = 0;
  #storing = 0;
  #storingBytes = 0;
  #oddities = 0;
  #readAt = performance.now();
  #idle: NodeJS.Timeout | undefined;
  #corked = false;
  #reason: string | undefined;
  /** Submits in the window. */
  outstanding = 0;

  constructor(socket: Socket, events: SessionEvents, timing: Timing) {
    this.#socket = socket;
    this.#events = events;
    this.#timing = timing;
    this.#sequence = timing.firstSequence - 1;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#read(chunk));
    socket.on("error", (error) => this.destroy(error.message));
    socket.on("end", () => this.destroy("the message centre has hung up"));
    socket.on("close", () => this.destroy("the connection is closed"));
  }

  get closed(): boolean {
    return this.#reason !== undefined;
  }

  async bind(command: BindCommand, account: Fields<BindCommand>): Promise<void> {
    const outcome = await this.#request(command, account, [], this.#timing.bindMs);
    if (outcome.type !== "answered")
      throw new Error(this.#reason ?? "the bind was not answered in time");
    if (outcome.status !== status.ok) throw new BindRefused(outcome.status);
    this.#idle = setInterval(() => this.#checkLink(), this.#timing.idleMs);
  }

  /** Of a submit that is `silent` the answer that comes after all is told to `late`. */
  submit(
    { fields, tlvs }: Submit,
    limitMs: number,
    late: (outcome: Outcome) => void,
  ): Promise<Outcome> {
    this.outstanding++;
    return this.#request("submit_sm", fields, tlvs, limitMs, late);
  }

  /** Says good-bye, and waits for the answer for a moment. */
  async close(): Promise<void> {
    if (this.closed) return;
    await this.#request("unbind", {}, [], this.#timing.unbindMs);
    this.destroy("unbound");
  }

  destroy(reason: string): void {
    if (this.closed) return;
    this.#reason = reason;
    clearInterval(this.#idle);
    this.#socket.destroy();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.outstanding = 0;
    for (const { timer, settle } of waiting) {
      clearTimeout(timer);
      settle({ type: "lost" });
    }
    this.#events.closed(reason);
  }

  #request<C extends "submit_sm" | "enquire_link" | "unbind" | BindCommand>(
    command: C,
    fields: Fields<C>,
    tlvs: Pdu["tlvs"],
    limitMs: number,
    late?: (outcome: Outcome) => void,
  ): Promise<Outcome> {
    if (this.closed) return Promise.resolve({ type: "lost" });
    const sequence = this.#next();
    return new Promise((settle) => {
      const timer = setTimeout(() => this.#overdue(sequence, late), limitMs);
      this.#waiting.set(sequence, { command, settle, timer, late: false });
      this.#send({ command, status: 0, sequence, fields, tlvs } as Pdu);
    });
  }

  /** The place in the window is free again; a submit keeps its number, in case that the answer comes. */
  #overdue(sequence: number, late: ((outcome: Outcome) => void) | undefined): void {
    const waiting = this.#waiting.get(sequence)!;
    this.#waiting.delete(sequence);
    if (late !== undefined && this.#late < maxLate) {
      this.#late++;
      this.#waiting.set(sequence, { ...waiting, settle: late, late: true });
    }
    waiting.settle({ type: "silent" });
    if (waiting.command === "submit_sm") this.#leaveWindow();
  }

  #leaveWindow(): void {
    this.outstanding--;
    this.#events.room();
  }

  /** One for each PDU: never 0, and 1 again after the last. One that is still waited for is passed over. */
  #next(): number {
    do this.#sequence = this.#sequence >= lastSequence ? 1 : this.#sequence + 1;
    while (this.#waiting.has(this.#sequence));
    return this.#sequence;
  }

  /** What is sent in one go is one write. */
  #send(pdu: Pdu): void {
    if (this.closed) return;
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(encodePdu(pdu));
    if (this.#socket.writableLength > maxUnwrittenBytes)
      this.destroy("the message centre does not read");
  }

  #odd(what: string, fields: object): void {
    if (++this.#oddities > maxOdd) return;
    const last = this.#oddities === maxOdd && { further: "of this connection are not told" };
    this.#events.odd(what, { ...fields, ...last });
  }

  #answer(command: Command, sequence: number, code: number): void {
    const fields =
      command === "deliver_sm_resp" || command === "data_sm_resp" ? { message_id: "" } : {};
    this.#send({ command, status: code, sequence, fields, tlvs: [] } as unknown as Pdu);
  }

  #read(chunk: Buffer): void {
    this.#readAt = performance.now();
    const frames = this.#frames(chunk);
    if (frames === undefined) return this.destroy("what came is no SMPP");
    // Answers, and questions whether we are there, before what is to be stored.
    const deliveries: [frame: Buffer, pdu: Delivery][] = [];
    for (const frame of frames) {
      if (this.closed) return;
      const pdu = decodePdu(frame);
      if (pdu.command === "deliver_sm" || pdu.command === "data_sm") deliveries.push([frame, pdu]);
      else this.#take(pdu);
    }
    for (const [frame, pdu] of deliveries) this.#store(frame, pdu);
  }

  #take(pdu: Pdu | Malformed): void {
    switch (pdu.command) {
      case "enquire_link":
        return this.#answer("enquire_link_resp", pdu.sequence, status.ok);
      case "unbind":
        this.#answer("unbind_resp", pdu.sequence, status.ok);
        // Behind the answer, which stands in the socket's queue.
        process.nextTick(() => this.#socket.end(() => this.destroy("the message centre unbound")));
        return;
      case "malformed":
        return this.#takeMalformed(pdu);
      case "generic_nack":
        return this.#settle(
          pdu.sequence,
          { type: "answered", status: pdu.status || status.systemError, messageId: "" },
          pdu,
        );
      case "submit_sm_resp":
        return this.#settle(
          pdu.sequence,
          { type: "answered", status: pdu.status, messageId: pdu.fields.message_id },
          pdu,
        );
      case "bind_receiver_resp":
      case "bind_transmitter_resp":
      case "bind_transceiver_resp":
      case "enquire_link_resp":
      case "unbind_resp":
        return this.#settle(
          pdu.sequence,
          { type: "answered", status: pdu.status, messageId: "" },
          pdu,
        );
      default:
        this.#odd("a command that no message centre sends", { command: pdu.command });
        return this.#answer("generic_nack", pdu.sequence, status.invalidCommandId);
    }
  }

  #takeMalformed({ id, sequence, reason }: Malformed): void {
    this.#odd("a PDU that cannot be read", { id, sequence, reason });
    if (id >= 0x8000_0000) return this.#settle(sequence, { type: "lost" }, undefined);
    const code =
      reason === "unknown command" ? status.invalidCommandId : status.invalidCommandLength;
    this.#answer("generic_nack", sequence, code);
  }

  /** What answers nothing that we asked settles nothing. */
  #settle(sequence: number, outcome: Outcome, answer: Pdu | undefined): void {
    const waiting = this.#waiting.get(sequence);
    const fits =
      answer === undefined ||
      answer.command === "generic_nack" ||
      (waiting !== undefined &&
        commandIds[answer.command] - 0x8000_0000 === commandIds[waiting.command]);
    if (waiting === undefined || !fits)
      return this.#odd("an answer to nothing that was asked", {
        command: answer?.command,
        sequence,
      });
    this.#waiting.delete(sequence);
    clearTimeout(waiting.timer);
    if (waiting.late) this.#late--;
    waiting.settle(outcome);
    if (waiting.command === "submit_sm" && !waiting.late) this.#leaveWindow();
  }

  #store(frame: Buffer, { command, sequence }: Delivery): void {
    const answer = (code: number): void => this.#answer(`${command}_resp`, sequence, code);
    const { length } = frame;
    const isFull = this.#storingBytes + length > maxStoringBytes;
    if (isFull || this.#storing >= maxStoring) return answer(status.temporaryReceiverError);
    this.#storing++;
    this.#storingBytes += length;
    // The frame is part of a chunk that goes with it.
    void this.#events
      .delivered(Buffer.from(frame))
      .catch(() => status.temporaryReceiverError)
      .then((code) => {
        this.#storing--;
        this.#storingBytes -= length;
        answer(code);
      });
  }

  /** A connection on which nothing comes, not even the answer to this, is dead, whatever the network says. */
  #checkLink(): void {
    const asked = performance.now();
    if (asked - this.#readAt < this.#timing.idleMs) return;
    void this.#request("enquire_link", {}, [], this.#timing.linkMs).then(({ type }) => {
      if (type === "silent" && this.#readAt < asked) this.destroy("enquire_link was not answered");
    });
  }
}

/** Connects and binds. Rejects with BindRefused, with what the network said, or when the signal is aborted. */
export async function openSession(
  options: SessionOptions,
  events: SessionEvents,
  signal?: AbortSignal,
): Promise<Session> {
  const socket = await connected(options, signal);
  const session = new Session(socket, events, options.timing);
  const aborted = (): void => session.destroy("given up");
  signal?.addEventListener("abort", aborted);
  try {
    await session.bind(options.bind, options.account);
    return session;
  } catch (error) {
    session.destroy("not bound");
    throw error;
  } finally {
    signal?.removeEventListener("abort", aborted);
  }
}

function connected(
  { host, port, tls, timing }: SessionOptions,
  given: AbortSignal | undefined,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // An address is no server name (RFC 6066, section 3); the certificate has to be for it all the same.
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = tls ? connectTls({ host, port, ...name }) : connectTcp({ host, port });
    const giveUp = (): void => void socket.destroy(new Error("no connection in time"));
    const timer = setTimeout(giveUp, timing.connectMs);
    given?.addEventListener("abort", giveUp);
    const over = (): void => {
      clearTimeout(timer);
      given?.removeEventListener("abort", giveUp);
    };
    socket.once("error", reject);
    socket.once("close", over);
    socket.once(tls ? "secureConnect" : "connect", () => {
      over();
      socket.off("error", reject);
      resolve(socket);
    });
  });
}
