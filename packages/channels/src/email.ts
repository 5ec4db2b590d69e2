import { type ChannelModule, type Read, type Recipient, fault, read } from "./channel.ts";
import { formatMailbox, parseEmail, parseMailbox, parseWriter } from "./email-address.ts";
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

/** What mailbox providers take from nobody, whatever is in it (Gmail Help, "File types blocked in Gmail", and Outlook's list have these in common). */
const refused =
  /\.(?:ade|adp|app|bat|chm|cmd|com|cpl|dll|exe|hta|ins|isp|jar|js|jse|lnk|mde|msc|msi|msp|mst|pif|ps1|scr|sct|shb|sys|vb|vbe|vbs|vxd|wsc|wsf|wsh)$/i;

export const email: ChannelModule = {
  noun: "an e-mail",
  recipient: emailRecipient,
  writer: (text) => parseWriter(text)?.address,
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
  media: 10,
  // In Base64 20.5 MB, of the 25 that are usual.
  mediaBytes: 15_000_000,
  fetchesMedia: true,
  file: (file) =>
    refused.test(file.name ?? "")
      ? fault("not_allowed", "has a name that mailbox providers refuse")
      : read(file),
  needs: [["html", "text"], ["subject"]],
  segments: ({ text, html }) => oneMessage(text ?? html ?? ""),
  magic: (to) => magicName(to.slice(0, to.lastIndexOf("@"))),
};
