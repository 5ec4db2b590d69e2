import type { AddressInfo } from "node:net";
import type { ApiContext, Hosted } from "@heliograph/api";
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
} from "./limits.ts";
import { readBeginning, storeMail, takerOf, type MailContext } from "./receive.ts";

export type ListenerContext = MailContext & Pick<ApiContext, "settings" | "logger">;
export type MailListener = Hosted & { readonly port: number };

/** An answer of the server's (RFC 5321 §4.2, RFC 3463). */
const reply = (responseCode: number, text: string): Error =>
  Object.assign(new Error(text), { responseCode });

/**
 * Takes mail on the configured address: what comes back, complaints and answers of people. Only for addresses that are ours, unencrypted unless there is a certificate, and stored before it says so.
 * Undefined where none is configured; throws when the address is taken.
 */
export async function openMailListener(
  context: ListenerContext,
): Promise<MailListener | undefined> {
  const { inboundSmtp: where } = context.settings;
  if (where === undefined) return undefined;
  const { tls: files } = where;
  const certificate = files === undefined ? undefined : readCertificate(files);
  const { server, isBusy } = serverOf(context, certificate);
  const unwatch =
    files === undefined || certificate === undefined
      ? () => undefined
      : watchCertificate(files, certificate, context.logger, (next) =>
          server.updateSecureContext(next),
        );
  const unlimit = limitAges(server);
  server.on("error", (error) => context.logger.debug({ err: error }, "a mail connection ended"));
  await new Promise<void>((resolve, reject) => {
    server.server.once("error", reject);
    server.listen(where.port, where.host, () => {
      server.server.off("error", reject);
      resolve();
    });
  });
  const { port } = server.server.address() as AddressInfo;
  return {
    port,
    close: () => {
      unwatch();
      unlimit();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // Who has begun a mail hears what became of it; the others have nothing to wait for.
      for (const connection of server.connections)
        if (!isBusy(connection.session)) connection.send(421, "Closing");
      return closed;
    },
  };
}

/** Ends connections that are too old: whoever says a word now and then would hold one for ever. Gives how to stop. */
function limitAges(server: SMTPServer): () => void {
  const since = new WeakMap<object, number>();
  const look = (): void => {
    const now = performance.now();
    for (const connection of server.connections) {
      const first = since.get(connection);
      if (first === undefined) since.set(connection, now);
      else if (now - first > maxConnectionMs) connection.send(421, "It took too long");
    }
  };
  const timer = setInterval(look, agesEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** Stores what comes. Throws what the other server is told. */
async function take(
  context: ListenerContext,
  stream: SMTPServerDataStream,
  session: SMTPServerSession,
): Promise<void> {
  const { envelope, hostNameAppearsAs: helo, remoteAddress } = session;
  const mail = await readBeginning(stream);
  if (stream.sizeExceeded) {
    countMail("too_large");
    throw reply(552, `A mail has at most ${maxMailBytes} bytes`);
  }
  const takers = envelope.rcptTo.flatMap(({ address }) => takerOf(context, address) ?? []);
  const each = [...new Map(takers.map((taker) => [taker.address, taker])).values()];
  if (each.length === 0) throw reply(550, "There is no such mailbox here");
  const from = envelope.mailFrom === false ? "" : envelope.mailFrom.address;
  try {
    await storeMail(context, each, { from, helo: String(helo), remoteAddress }, mail);
    countMail("stored");
  } catch (error) {
    context.logger.warn(
      { err: error },
      "a mail was not stored, and its sender is asked to come again",
    );
    countMail("unavailable");
    throw reply(451, "It cannot be stored now");
  }
}

function serverOf(context: ListenerContext, certificate: Certificate | undefined) {
  const unknown = new WeakMap<SMTPServerSession, number>();
  /** Those whose mail is being read and stored. */
  const busy = new Set<SMTPServerSession>();

  function refuseUnknown(session: SMTPServerSession): Error {
    const count = (unknown.get(session) ?? 0) + 1;
    unknown.set(session, count);
    countMail("unknown_recipient");
    return count < maxUnknown
      ? reply(550, "There is no such mailbox here")
      : reply(421, "Too many recipients that are not here");
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
    onConnect({ remoteAddress }, done) {
      const own = [...server.connections].filter((each) => each.remoteAddress === remoteAddress);
      done(own.length > maxConnectionsOfOne ? reply(421, "Too many connections") : null);
    },
    onRcptTo({ address }, session, done) {
      done(takerOf(context, address) === undefined ? refuseUnknown(session) : null);
    },
    onData(stream, session, done) {
      if (busy.size >= maxAtOnce) {
        stream.resume();
        stream.once("end", () => {
          countMail("busy");
          done(reply(451, "Too many mails at once"));
        });
        return;
      }
      busy.add(session);
      take(context, stream, session)
        .finally(() => busy.delete(session))
        .then(
          () => done(null, "Stored"),
          (error: Error) => done(error),
        );
    },
  });
  return { server, isBusy: (session: SMTPServerSession) => busy.has(session) };
}
