import { hash } from "node:crypto";
import { mailReferences, parseMailId, textOfHtml } from "@heliograph/channels";
import type { MasterKey } from "@heliograph/contracts";
import type { SenderClaim } from "../callbacks.ts";
import type { InboundReading, InboundRequest } from "../descriptor.ts";
import { headerIn, isAutomatic, parseMail, type ParsedMail } from "./mail.ts";
import { attemptOfMailId, ownMailId } from "./mail-id.ts";
import { isServerId } from "./server-ids.ts";

/** What the events of a message have room for. */
const max = { text: 90_000, html: 180_000, subject: 900, profileName: 255, id: 250 } as const;
const maxNamed = 20;

const type = "message/rfc822; to=";
/** Keeps to which of our addresses it came: the envelope says so, and the headers need not. */
export const mailContentType = (to: string): string => `${type}${to}`;

const whole = (text: string, length: number): string => text.slice(0, length).toWellFormed();

/** What it is called: by its Message-ID, which a mail that is delivered twice has twice, else by its bytes. */
export function readMailId(mail: ParsedMail, raw: Buffer): string {
  const id = parseMailId(mail.messageId ?? "");
  return id !== undefined && id.length <= max.id && /^[!-~]+$/.test(id)
    ? id
    : hash("sha256", raw, "hex");
}

/** The address of whoever wrote it; undefined where there is none. */
export function senderOf({ from }: ParsedMail): string | undefined {
  const address = from?.address ?? from?.group?.[0]?.address ?? "";
  return address === "" || address.length > 254 ? undefined : address;
}

/**
 * The mails of ours that it names as answered or as gone before: who knows one has had it, or has seen an answer to it. What has neither our shape nor that of a server which names mail itself is nothing to
 * look for.
 */
export function answeredBy(
  mail: ParsedMail,
  masterKey: MasterKey,
): Pick<SenderClaim, "answers" | "messages"> {
  const inReplyTo = headerIn(mail, "in-reply-to");
  const named = [
    mailReferences({ inReplyTo }),
    mailReferences({ references: headerIn(mail, "references") }),
  ];
  const answers = [...new Set(named.flat())].filter(
    (id) => ownMailId(id) !== undefined || isServerId(id),
  );
  const messages = answers.flatMap((id) => attemptOfMailId(masterKey, id)?.messageId ?? []);
  return { answers, messages: [...new Set(messages)] };
}

const whyNot = {
  too_large: "too large to be kept",
  too_many: "one of too many to be kept",
  no_room: "not kept: there is no room",
} as const;

/** Files that are not kept are named behind what was written. */
const unkept = (files: NonNullable<InboundRequest["files"]>): readonly string[] =>
  files.flatMap(({ name, type: said, not_kept: why }) =>
    why === undefined ? [] : [`[${whole(name ?? said, 120)}: ${whyNot[why]}]`],
  );

/** The same of a mail whose files stand in its bytes, as far as these go. A picture that the page shows is none. */
function namesOf({ attachments }: ParsedMail): readonly string[] {
  const files = attachments.filter(
    ({ related, disposition, contentId, mimeType }) =>
      related !== true &&
      !(disposition === "inline" && contentId !== undefined) &&
      mimeType !== "application/pgp-signature",
  );
  return files
    .slice(0, maxNamed)
    .map(({ filename, mimeType }) => `[${whole(filename ?? mimeType, 120)}]`);
}

function textOf(mail: ParsedMail, files: InboundRequest["files"]): string {
  const written = (mail.text ?? textOfHtml(mail.html ?? "")).trimEnd();
  const names = files === undefined ? namesOf(mail) : unkept(files);
  return [whole(written, max.text), ...(names.length > 0 ? ["-- ", ...names] : [])]
    .join("\n")
    .trimStart();
}

/** What a person wrote. Throws for a mail that does not say who did, or that is beyond reason. */
export async function mailInbound({
  raw,
  contentType,
  files,
}: InboundRequest): Promise<InboundReading> {
  if (!contentType.startsWith(type)) throw new Error("it does not say to whom it came");
  const mail = await parseMail(raw);
  if (mail === undefined) throw new Error("it is nested or headed beyond reason");
  const sender = senderOf(mail);
  if (sender === undefined) throw new Error("it does not say who wrote it");
  const { html, subject, from } = mail;
  const text = textOf(mail, files);
  const references = mailReferences({
    references: headerIn(mail, "references"),
    inReplyTo: headerIn(mail, "in-reply-to"),
  });
  return {
    providerMessageId: readMailId(mail, raw),
    from: sender,
    to: contentType.slice(type.length),
    ...(text !== "" && { text }),
    ...(html !== undefined && html !== "" && { html: whole(html, max.html) }),
    ...(subject !== undefined && subject !== "" && { subject: whole(subject, max.subject) }),
    ...(from?.name && { profileName: whole(from.name, max.profileName) }),
    ...(references.length > 0 && { references }),
    ...(isAutomatic(mail, undefined) && { automatic: true }),
    kind: "message",
  };
}
