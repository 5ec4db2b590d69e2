import type { AddressInfo } from "node:net";
import type { ApiContext, Hosted } from "@heliograph/api";
import { attachmentsIn, type Attachments } from "@heliograph/attachments";
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from "smtp-server";
import { countMail } from "../metrics.ts";
import { readCertificate, watchCertificate, type Certificate } from "./certificate.ts";
import {
  agesEveryMs,
  closeMs,
  idleMs,
  maxAtOnce,
  maxConnectionMs,
  maxConnections,
  maxConnectionsOfOne,
  maxMailBytes,
  maxRecipients,
  maxUnknown,
  minBytesPerSecond,
  slowAfterMs,
} from "./limits.ts";
import { takeQuoted } from "./quoted.ts";
import { openRates, type Rates } from "./rates.ts";
import { SpoolFull, withMail, type ReadMail, type SpoolRoom } from "./read.ts";
import { storeMail, takerOf, type MailContext } from "./receive.ts";

export type ListenerContext = MailContext & Pick<ApiContext, "settings" | "logger" | "stopping">;
export type MailListener = Hosted & { readonly port: number };

/** An answer of the server's (RFC 5321 §4.2, RFC 3463). */
const reply = (responseCode: number, text: string): Error =>
  Object.assign(new Error(text), { responseCode });

/** A mail whose sender waits for what becomes of it. */
type Begun = {
  readonly since: number;
  readonly stream: Pick<SMTPServerDataStream, "byteLength" | "writableEnded">;
};

/** Whether it comes so slowly that it keeps a connection for nothing. */
export function isSlow({ since, stream }: Begun, now: number): boolean {
  const elapsedMs = now - since;
  const least = (minBytesPerSecond * elapsedMs) / 1_000;
  return elapsedMs > slowAfterMs && !stream.writableEnded && stream.byteLength < least;
}

/**
 * Takes mail on the configured address: what comes back, complaints and answers of people. Only for addresses that are ours, unencrypted unless there is a certificate, and stored before it says so.
 * Begins to end when the process does. Undefined where none is configured; throws when the address is taken.
 */
export async function openMailListener(
  context: ListenerContext,
  rates: Rates = openRates(),
): Promise<MailListener | undefined> {
  const { inboundSmtp: where } = context.settings;
  if (where === undefined) return undefined;
  const { tls: files } = where;
  const certificate = files === undefined ? undefined : readCertificate(files);
  const { server, begun } = serverOf(context, certificate, rates);
  const unwatch =
    files === undefined || certificate === undefined
      ? () => undefined
      : watchCertificate(files, certificate, context.logger, (next) =>
          server.updateSecureContext(next),
        );
  const unlimit = limitAges(server, begun);
  server.on("error", (error) => context.logger.debug({ err: error }, "a mail connection ended"));
  await new Promise<void>((resolve, reject) => {
    server.server.once("error", reject);
    server.listen(where.port, where.host, () => {
      server.server.off("error", reject);
      resolve();
    });
  });
  const { port } = server.server.address() as AddressInfo;
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= closeServer());
  const begin = (): void => void close();
  async function closeServer(): Promise<void> {
    context.stopping.removeEventListener("abort", begin);
    unwatch();
    unlimit();
    const done = new Promise<void>((resolve) => server.close(() => resolve()));
    // Who has begun a mail hears what became of it; the others have nothing to wait for.
    for (const connection of server.connections)
      if (!begun.has(connection.session)) connection.send(421, "Closing");
    await done;
  }
  // With the requests, not after them: what is begun then has its time beside theirs.
  context.stopping.addEventListener("abort", begin);
  return { port, close };
}

/** Ends connections that are too old or too slow: whoever says a word now and then would hold one for ever. Gives how to stop. */
function limitAges(server: SMTPServer, begun: ReadonlyMap<SMTPServerSession, Begun>): () => void {
  const since = new WeakMap<object, number>();
  const look = (): void => {
    const now = performance.now();
    for (const connection of server.connections) {
      const first = since.get(connection);
      const mail = begun.get(connection.session);
      if (first === undefined) since.set(connection, now);
      else if (now - first > maxConnectionMs || (mail !== undefined && isSlow(mail, now)))
        connection.send(421, "It took too long");
    }
  };
  const timer = setInterval(look, agesEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** Stores what came. Throws what the other server is told. */
async function store(
  context: ListenerContext,
  attachments: Attachments,
  mail: ReadMail,
  session: SMTPServerSession,
  rates: Rates,
): Promise<void> {
  const { envelope, hostNameAppearsAs: helo, remoteAddress } = session;
  const takers = envelope.rcptTo.flatMap(({ address }) => takerOf(context, address) ?? []);
  const each = [...new Map(takers.map((taker) => [taker.address, taker])).values()];
  if (each.length === 0) throw reply(550, "There is no such mailbox here");
  rates.count(
    remoteAddress,
    each.map(({ address }) => address),
  );
  const from = envelope.mailFrom === false ? "" : envelope.mailFrom.address;
  try {
    await storeMail(context, attachments, each, { from, helo: String(helo), remoteAddress }, mail);
    countMail("stored");
  } catch (error) {
    throw unavailable(context, error);
  }
}

function unavailable({ logger }: ListenerContext, error: unknown): Error {
  logger.warn({ err: error }, "a mail was not stored, and its sender is asked to come again");
  countMail("unavailable");
  return reply(451, "It cannot be stored now");
}

/** Says why a recipient's mail is not taken; undefined where it is. */
function recipientsOf(context: ListenerContext, rates: Rates) {
  const unknown = new WeakMap<SMTPServerSession, number>();
  return (recipient: string, session: SMTPServerSession): Error | undefined => {
    const taker = takerOf(context, recipient);
    if (taker === undefined) {
      const count = (unknown.get(session) ?? 0) + 1;
      unknown.set(session, count);
      countMail("unknown_recipient");
      return count < maxUnknown
        ? reply(550, "There is no such mailbox here")
        : reply(421, "Too many recipients that are not here");
    }
    if (rates.hasRoom(session.remoteAddress, taker.address)) return undefined;
    countMail("too_many");
    return reply(450, "Too many mails in a short time");
  };
}

/** Gives why a connection is refused. */
function greet({ connections }: SMTPServer, session: SMTPServerSession): Error | null {
  const { remoteAddress } = session;
  for (const each of connections) if (each.session === session) takeQuoted(each);
  const own = [...connections].filter((each) => each.remoteAddress === remoteAddress);
  return own.length > maxConnectionsOfOne ? reply(421, "Too many connections") : null;
}

function serverOf(context: ListenerContext, certificate: Certificate | undefined, rates: Rates) {
  const begun = new Map<SMTPServerSession, Begun>();
  const refuseRecipient = recipientsOf(context, rates);
  const attachments = attachmentsIn(context.settings);
  const room: SpoolRoom = { held: 0 };
  let storing = 0;

  /** Undefined while there is room. */
  function refuseBusy(): Error | undefined {
    return storing < maxAtOnce ? undefined : busy();
  }
  function busy(): Error {
    countMail("busy");
    return reply(451, "Too many mails at once");
  }

  /** A place among those that are stored is taken once the mail is here: who sends slowly holds none. */
  async function take(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<void> {
    begun.set(session, { since: performance.now(), stream });
    try {
      await withMail(stream, { attachments, room }, async (mail) => {
        if (stream.sizeExceeded) {
          countMail("too_large");
          throw reply(552, `A mail has at most ${maxMailBytes} bytes`);
        }
        const refused = refuseBusy();
        if (refused !== undefined) throw refused;
        storing++;
        await store(context, attachments, mail, session, rates).finally(() => storing--);
      });
    } catch (error) {
      if (error instanceof SpoolFull) throw busy();
      if (error instanceof Error && "responseCode" in error) throw error;
      throw unavailable(context, error);
    } finally {
      begun.delete(session);
    }
  }

  const server: SMTPServer = new SMTPServer({
    ...certificate,
    // Without a certificate of ours the library would offer one of its own.
    disabledCommands: certificate === undefined ? ["AUTH", "STARTTLS"] : ["AUTH"],
    disableReverseLookup: true,
    logger: false,
    size: maxMailBytes,
    maxClients: maxConnections,
    maxRecipients,
    socketTimeout: idleMs,
    closeTimeout: closeMs,
    // Whoever writes from an address with a dot too many is answered there, too.
    lenientAddressParsing: true,
    onConnect: (session, done) => done(greet(server, session)),
    onMailFrom(_address, _session, done) {
      done(refuseBusy() ?? null);
    },
    onRcptTo({ address }, session, done) {
      done(refuseRecipient(address, session) ?? null);
    },
    onData(stream, session, done) {
      take(stream, session).then(
        () => done(null, "Stored"),
        (error: Error) => done(error),
      );
    },
  });
  return { server, begun };
}
