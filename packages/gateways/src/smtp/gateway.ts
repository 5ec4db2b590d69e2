import { isIP } from "node:net";
import type { Readable } from "node:stream";
import { type Mailbox, parseEmail, parseMailbox } from "@heliograph/channels";
import { createTransport } from "nodemailer";
import { unsubscribeLink, unsubscribeToken } from "../unsubscribe-link.ts";
import type {
  AttachedFile,
  Attempt,
  Gateway,
  GatewayConfig,
  GatewayTools,
  SendResult,
} from "../types.ts";
import { foldable, headersOf, oneLine } from "./headers.ts";
import { smtpErrors } from "./errors.ts";
import { smtpResult } from "./result.ts";
import { mailIdOf } from "./mail-id.ts";
import { type ReturnPath, returnPathOf } from "./return-path.ts";
import { sendgridHeaders } from "./sendgrid.ts";
import { serverIdIn } from "./server-ids.ts";
import { joinUrl, type SmtpSecrets, type SmtpSettings } from "./settings.ts";

/** A server that takes longer than this to say hello is as good as away; the call's own timeout may be shorter. */
const CONNECT_TIMEOUT_MS = 10_000;
/** Connections are renewed after this many messages, so that a load balancer behind the name can spread them. */
const MESSAGES_PER_CONNECTION = 500;

/** What a signature covers (RFC 6376 §5.4.1). RFC 8058 §4 wants both headers that unsubscribe among it, and the mailer signs one of them only. */
const signedHeaders = [
  "From",
  "Sender",
  "Reply-To",
  "To",
  "Subject",
  "Date",
  "Message-ID",
  "In-Reply-To",
  "References",
  "MIME-Version",
  "Content-Type",
  "Content-Transfer-Encoding",
  "List-Unsubscribe",
  "List-Unsubscribe-Post",
  "Auto-Submitted",
];

/** The stream that carries a message: whether any of it was read tells what a lost connection means. */
type Track = { stream?: Readable };

/** With one kind of line end: the mailer signs a lone CR as it is, and sends it as a CRLF, which no signature survives (RFC 5322 §2.3 has neither alone). */
const lines = (text: string): string => text.replaceAll(/\r\n?/g, "\n");

/** A pool of connections that opens them as messages come. */
function openTransport({ config, settings, secrets }: Omit<Parts, "tools">) {
  const { dkim, pool } = settings;
  const { dkim_private_key: privateKey } = secrets;
  const transport = createTransport({
    url: joinUrl(settings, secrets),
    pool: true,
    maxConnections: pool?.max_connections ?? Math.min(config.max_concurrent, 100),
    maxMessages: pool?.max_messages ?? MESSAGES_PER_CONNECTION,
    // The pool must never repeat a message by itself: it cannot know whether the server took it.
    maxRequeues: 0,
    idleTimeout: 30_000,
    connectionTimeout: Math.min(config.timeout_ms, CONNECT_TIMEOUT_MS),
    greetingTimeout: Math.min(config.timeout_ms, CONNECT_TIMEOUT_MS),
    dnsTimeout: Math.min(config.timeout_ms, CONNECT_TIMEOUT_MS),
    socketTimeout: config.timeout_ms,
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(dkim !== undefined &&
      privateKey !== undefined && {
        dkim: {
          domainName: dkim.domain,
          keySelector: dkim.selector,
          privateKey,
          headerFieldNames: signedHeaders.join(":"),
        },
      }),
  });
  transport.use("stream", (mail, done) => {
    const open = mail.message.createReadStream.bind(mail.message);
    const { track } = mail.data as { track?: Track };
    const tracked: typeof open = (options) => {
      const stream = open(options);
      if (track) track.stream = stream;
      return stream;
    };
    mail.message.createReadStream = tracked;
    done();
  });
  return transport;
}

type Parts = {
  readonly config: GatewayConfig;
  readonly settings: SmtpSettings;
  readonly secrets: SmtpSecrets;
  readonly tools: GatewayTools;
};

/**
 * Sends e-mail over SMTP. The text and the HTML go as multipart/alternative, the Message-ID is `<m-message-attempt-signature@domain>`, so that a second send of the same attempt can
 * be recognised downstream. The domain is the return path's, or the sender's where what comes back goes there.
 */
export function createSmtpGateway({ config, settings, secrets, tools }: Parts): Gateway {
  const url = new URL(settings.url);
  const transport = openTransport({ config, settings, secrets });
  const { return_path_domain: returnDomain } = settings;

  /** What the platform answers by itself has nobody to come back to, so that two machines never talk to each other (RFC 3834 §3.3). */
  function returnPath({ automatic }: Attempt, named: ReturnPath, sender: Mailbox): string {
    if (automatic) return "";
    if (returnDomain === undefined) return sender.email.address;
    const local = returnPathOf(tools.masterKey, config.gateway_id, named);
    return `${local}@${returnDomain}`;
  }

  async function send(attempt: Attempt, signal: AbortSignal): Promise<SendResult> {
    const from = attempt.from ?? settings.from;
    const sender = from === undefined ? ownSender(url.hostname) : parseMailbox(oneLine(from));
    const recipient = parseEmail(attempt.to);
    if (recipient === undefined) return invalid(config.name, "invalid_recipient");
    if (sender === undefined) return invalid(config.name, "invalid_sender");
    const track: Track = {};
    // A server that greylists wants to see the same sender come back (RFC 6647 §2.1).
    const named = {
      messageId: attempt.messageId,
      attempt: attempt.firstPutOff ?? attempt.attempt,
    };
    const messageId = mailIdOf(tools.masterKey, named, returnDomain ?? sender.email.domain);
    const forProvider = providerHeaders(url, settings, messageId);
    const mail = {
      from: { name: sender.name, address: sender.email.address },
      to: { name: "", address: recipient.address },
      ...headersOf(attempt, sender, {
        replyTo: settings.reply_to,
        ...unsubscribing({ config, tools }, attempt),
        forProvider,
      }),
      envelope: {
        from: returnPath(attempt, named, sender),
        to: [recipient.address],
        size: leastSize(attempt),
      },
      subject: foldable(attempt.content.subject ?? ""),
      messageId,
      ...(attempt.content.text !== undefined && { text: lines(attempt.content.text) }),
      ...(attempt.content.html !== undefined && { html: lines(attempt.content.html) }),
      ...(attempt.files !== undefined && { attachments: attempt.files.map(partOf) }),
      signal,
      track,
    };
    try {
      const info = await transport.sendMail(mail);
      return taken(messageId, oneLine(info.response ?? "250"));
    } catch (error) {
      const begun = track.stream?.readableDidRead ?? false;
      return smtpResult(config.name, error, { begun, aborted: signal.aborted });
    }
  }

  return {
    name: config.name,
    kind: config.kind,
    takesFiles: true,
    send,
    async check(signal) {
      signal.addEventListener("abort", () => transport.close(), { once: true });
      await transport.verify();
    },
    close: async () => transport.close(),
  };
}

/** A file as the mailer takes it. */
const partOf = ({ name, type, content }: AttachedFile) => ({
  filename: name ?? (false as const),
  ...(type !== undefined && { contentType: type }),
  content,
});

/** How large the mail is on the wire at least (RFC 1870 §5): files in lines of 76 letters of Base64. A server that takes less is not sent it, and one that is asked may say so first. */
const leastSize = ({ content: { text = "", html = "" }, files = [] }: Attempt): number =>
  files.reduce(
    (sum, { content: { length } }) => sum + Math.ceil((length / 57) * 78),
    Buffer.byteLength(text) + Buffer.byteLength(html),
  );

/** By what the recipient says that there is to be no more. RFC 8058 §3.1 wants HTTPS: without a public address there is no link. */
function unsubscribing(
  { config: { environment }, tools: { origin, masterKey } }: Pick<Parts, "config" | "tools">,
  { messageId }: Attempt,
) {
  const message = { environment, messageId };
  return {
    token: unsubscribeToken(masterKey, message),
    ownLink: origin.startsWith("https://")
      ? unsubscribeLink(origin, masterKey, message)
      : undefined,
  };
}

/** Where no sender is configured: the server itself, an IP address in the form that a mailbox takes (RFC 5321 4.1.3). */
function ownSender(host: string): Mailbox {
  const bare = host.replace(/^\[|\]$/g, "");
  const domain = isIP(bare) === 4 ? `[${bare}]` : isIP(bare) === 6 ? `[IPv6:${bare}]` : host;
  return { name: "", email: { address: `no-reply@${domain}`, local: "no-reply", domain } };
}

/** Postmark puts a Message-ID of its own in the place of ours unless a mail asks it not to. */
const providerHeaders = ({ hostname }: URL, { events }: SmtpSettings, mailId: string) => ({
  ...(/\.postmarkapp\.com$/i.test(hostname) && { "X-PM-KeepID": "true" }),
  ...(events === "sendgrid" && sendgridHeaders(mailId)),
});

function taken(messageId: string, response: string): SendResult {
  // Its recipient knows the mail by this alone.
  const serverMessageId = serverIdIn(response);
  return {
    type: "accepted",
    providerMessageId: messageId,
    ...(serverMessageId !== undefined && { serverMessageId }),
    status: response.slice(0, 64),
  };
}

/** Without what was given: of the recipient nothing is kept that is not sealed. */
const invalid = (name: string, code: "invalid_recipient" | "invalid_sender"): SendResult => ({
  type: "rejected",
  error: {
    code,
    ...smtpErrors[code],
    provider: { name, code, text: "it is not an address" },
  },
});
