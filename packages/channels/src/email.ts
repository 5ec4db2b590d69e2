import { type ChannelModule, type Read, type Recipient, fault, read } from "./channel.ts";
import { formatMailbox, parseEmail, parseMailbox } from "./email-address.ts";
import { magicName } from "./magic.ts";
import { oneMessage } from "./segments.ts";

function emailRecipient(text: string): Read<Recipient> {
  const email = parseEmail(text);
  return email === undefined
    ? fault("invalid_email", "must be an e-mail address")
    : read({ to: email.address, digits: "", country: "" });
}

/** An address with or without a name. */
function mailbox(text: string, code: string): Read<string> {
  const parsed = parseMailbox(text);
  return parsed === undefined
    ? fault(
        code,
        "must be an e-mail address, or a name and an address as in Shop <shop@example.org>",
      )
    : read(formatMailbox(parsed));
}

/** A line of a header has at most 998 octets and cannot be folded within a URL (RFC 5322 2.1.1). */
const maxUrl = 900;

/** Stands in `List-Unsubscribe` between angle brackets, so in the form that a URL parser writes: no blank and no bracket is left in it. */
function unsubscribeUrl(text: string): Read<string> {
  const url = /^https:\/\/[^\s]+$/i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  return url === undefined || url.href.length > maxUrl || url.username !== "" || url.password !== ""
    ? fault("invalid_url", `must be an https:// URL of at most ${maxUrl} characters`)
    : read(url.href);
}

export const email: ChannelModule = {
  noun: "an e-mail",
  recipient: emailRecipient,
  sender: (text) => mailbox(text, "invalid_sender"),
  mail: {
    reply_to: (text) => mailbox(text, "invalid_email"),
    unsubscribe_url: unsubscribeUrl,
  },
  limits: {
    text: 100_000,
    html: 200_000,
    // RFC 5322 2.1.1: a line has at most 998 octets, and "Subject: " stands on it too.
    subject: 998 - "Subject: ".length,
  },
  needs: [["html", "text"], ["subject"]],
  segments: ({ text, html }) => oneMessage(text ?? html ?? ""),
  magic: (to) => magicName(to.slice(0, to.lastIndexOf("@"))),
};
