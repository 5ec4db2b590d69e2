import type { AddressInfo, Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { SMTPServer, SMTPServerSession } from "smtp-server";

export type SinkMessage = {
  readonly from: string;
  /** The accepted recipients of the envelope. */
  readonly to: readonly string[];
  /** Header and body as they came over the wire, dots unstuffed. */
  readonly raw: string;
  readonly at: Date;
};

/** What a mail server can do to us. Codes are RFC 5321 replies: 4xx asks for a later try, 5xx is final. */
export type SmtpBehaviour =
  /** `says`: behind the code of its answer. */
  | { type: "accept"; delayMs?: number; says?: string }
  /** Refuses recipients (all, or those chosen) with the code, e.g. 550 or 451. */
  | { type: "reject-recipient"; code: number; text?: string; which?: (address: string) => boolean }
  /** Closes the connection without a word when a recipient is named. */
  | { type: "hang-up-at-recipient" }
  /** Takes the whole message, then refuses it. */
  | { type: "reject-data"; code: number; text?: string }
  /** Takes and journals the message, then closes before the reply: the sender cannot know that it was accepted. */
  | { type: "close-before-reply" }
  /** Takes and journals the message, and never says anything again. */
  | { type: "hang" }
  /** Takes and journals the message, and answers with what is no reply (RFC 5321 §4.2). */
  | { type: "garbage" }
  /** Answers 421 to the greeting. */
  | { type: "busy" };

export type SmtpSink = {
  readonly host: "127.0.0.1";
  readonly port: number;
  /** Every message that was taken whole, those with a lost reply included. */
  readonly messages: readonly SinkMessage[];
  /** Who signed in, with what. */
  readonly logins: readonly Login[];
  behave(behaviour: SmtpBehaviour): void;
  close(): Promise<void>;
};

export type Login = { readonly user: string; readonly password: string };

/** What the server has seen, and how it behaves. */
class Sink {
  readonly logins: Login[] = [];
  readonly messages: SinkMessage[] = [];
  readonly sockets = new Map<number | undefined, Socket>();
  behaviour: SmtpBehaviour = { type: "accept" };

  async serverFor(login: Login | undefined): Promise<SMTPServer> {
    // Its library takes a tenth of what a test process loads, and most have no sink.
    const { SMTPServer } = await import("smtp-server");
    return new SMTPServer({
      disabledCommands: login ? ["STARTTLS"] : ["AUTH", "STARTTLS"],
      allowInsecureAuth: true,
      onAuth: ({ username, password }, _session, callback) => {
        const given = { user: username ?? "", password: password ?? "" };
        this.logins.push(given);
        if (given.user === login?.user && given.password === login.password)
          callback(null, { user: given.user });
        else callback(reply(535, "5.7.8 authentication failed"));
      },
      disableReverseLookup: true,
      logger: false,
      closeTimeout: 100,
      onConnect: (_session, callback) =>
        callback(this.behaviour.type === "busy" ? reply(421, "4.3.2 come back later") : null),
      onRcptTo: ({ address }, session, callback) => {
        if (this.behaviour.type === "hang-up-at-recipient")
          this.sockets.get(session.remotePort)?.destroy();
        else callback(this.#refusalOf(address));
      },
      onData: (stream, session, callback) => void this.#receive(stream, session, callback),
    });
  }

  #refusalOf(address: string): Error | null {
    const { behaviour } = this;
    if (behaviour.type !== "reject-recipient" || behaviour.which?.(address) === false) return null;
    return reply(behaviour.code, behaviour.text ?? "mailbox unavailable");
  }

  /** Answers the data by `done`, unless the reply is to be lost. */
  async #receive(
    stream: AsyncIterable<Buffer>,
    session: SMTPServerSession,
    done: (refusal?: Error | null, says?: string) => void,
  ): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of stream) chunks.push(chunk);
    } catch {
      return; // The client went away in the middle of its message.
    }
    const { behaviour } = this;
    if (behaviour.type === "reject-data")
      return done(reply(behaviour.code, behaviour.text ?? "message refused"));
    this.messages.push(toMessage(session, Buffer.concat(chunks)));
    const socket = this.sockets.get(session.remotePort);
    switch (behaviour.type) {
      case "close-before-reply":
        socket?.destroy();
        return;
      case "hang":
        return;
      case "garbage":
        socket?.write("%PDF-1.7 \u0000 0 obj\r\n");
        return;
      case "accept":
        if (behaviour.delayMs) await pause(behaviour.delayMs);
        done(null, behaviour.says);
        return;
      default:
        done();
    }
  }
}

/** A real SMTP server on 127.0.0.1 without TLS that keeps what it gets and misbehaves on demand; with `login` it takes nothing from strangers. */
export async function smtpSink(options: { port?: number; login?: Login } = {}): Promise<SmtpSink> {
  const sink = new Sink();
  const server = await sink.serverFor(options.login);
  server.on("error", () => {});
  server.server.on("connection", (socket: Socket) => {
    const { remotePort } = socket;
    sink.sockets.set(remotePort, socket);
    socket.once("close", () => sink.sockets.delete(remotePort));
  });
  await new Promise<void>((resolve, reject) => {
    server.server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", () => resolve());
  });
  const { port } = server.server.address() as AddressInfo;
  return {
    host: "127.0.0.1",
    port,
    messages: sink.messages,
    logins: sink.logins,
    behave: (next) => void (sink.behaviour = next),
    close() {
      for (const socket of sink.sockets.values()) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function reply(code: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode: code });
}

function toMessage({ envelope }: SMTPServerSession, raw: Buffer): SinkMessage {
  return {
    from: envelope.mailFrom ? envelope.mailFrom.address : "",
    to: envelope.rcptTo.map(({ address }) => address),
    raw: raw.toString("utf8"),
    at: new Date(),
  };
}
