import { type Mailbox, parseMailbox } from "@heliograph/channels";
import type { Attempt } from "../types.ts";

/**
 * A line has at most 998 octets (RFC 5322 §2.1.1), and headers are folded at blanks alone. What has none for longer than this goes as encoded words; the rest of a line
 * is room for the header's name and the blank before the word.
 */
const LONGEST_WORD = 900;
/** An encoded word has at most 75 characters (RFC 2047 §2): 45 octets are 60 of base64, and 12 say what it is. */
const ENCODED_OCTETS = 45;

/** Begins the subject of a mail to the sender that unsubscribes. */
export const unsubscribeSubject = "unsubscribe";

/** No header may be continued or ended by what a partner wrote (CR, LF, NUL and their Unicode kin). */
export const oneLine = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- that is what it is for
  text.replaceAll(/[\u0000-\u001f\u007f\u0085\u2028\u2029]+/g, " ").trim();

/** A header's text on one line that can be folded. Text beyond ASCII is encoded by the mailer in any case. */
export function foldable(text: string): string {
  const line = oneLine(text);
  // oxlint-disable-next-line no-control-regex -- from the first to the last character of ASCII
  const plain = /^[\u0000-\u007f]*$/.test(line);
  if (!plain || !line.split(" ").some((word) => word.length > LONGEST_WORD)) return line;
  return (line.match(new RegExp(`.{1,${ENCODED_OCTETS}}`, "g")) ?? [])
    .map((part) => `=?UTF-8?B?${Buffer.from(part).toString("base64")}?=`)
    .join(" ");
}

/** What a mail answers, and all that went before: without the whole chain the programs that lack a mail of it begin another thread (RFC 5322 §3.6.4). */
function threadingOf({ inReplyTo, references = [] }: Attempt): object {
  if (inReplyTo === undefined) return {};
  const earlier = references.filter((id) => id !== inReplyTo);
  return { inReplyTo: oneLine(inReplyTo), references: [...earlier, inReplyTo].map(oneLine) };
}

/**
 * `Reply-To`, the partner's or the gateway's own, and how to unsubscribe: from marketing always, with one click at the partner's page or at ours, and at the sender's address (RFC 2369,
 * RFC 8058): by a mail that names the message, since its sender can be made up. What the platform answers by itself says so, so that no machine answers it (RFC 3834 §5). `ownLink` is undefined where nobody could follow it over HTTPS; `forProvider` is for the
 * server that takes the mail alone.
 */
export function headersOf(
  attempt: Attempt,
  sender: Mailbox,
  {
    replyTo,
    ownLink,
    token,
    forProvider,
  }: {
    readonly replyTo: string | undefined;
    readonly ownLink: string | undefined;
    readonly token: string;
    readonly forProvider: Readonly<Record<string, string | object>>;
  },
): object {
  const answers = attempt.replyTo ?? replyTo;
  const reply = answers === undefined ? undefined : parseMailbox(answers);
  const isMarketing = attempt.category === "marketing";
  const url = attempt.unsubscribeUrl ?? (isMarketing ? ownLink : undefined);
  const { address } = (reply ?? sender).email;
  const ways =
    url === undefined && !isMarketing
      ? []
      : [
          ...(url === undefined ? [] : [`<${url}>`]),
          `<mailto:${encodeURIComponent(address).replace("%40", "@")}?subject=${unsubscribeSubject}%20${token}>`,
        ];
  return {
    ...(reply !== undefined && { replyTo: { name: reply.name, address } }),
    ...threadingOf(attempt),
    headers: {
      ...forProvider,
      ...(attempt.automatic && { "Auto-Submitted": "auto-replied" }),
      ...(ways.length > 0 && {
        "List-Unsubscribe": { prepared: true, foldLines: false, value: ways.join(",\r\n ") },
        ...(url !== undefined && { "List-Unsubscribe-Post": "List-Unsubscribe=One-Click" }),
      }),
    },
  };
}
