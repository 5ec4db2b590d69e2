import { hash } from "node:crypto";
import type { Email } from "@heliograph/channels";
import type { Callback, CallbackItem, Report } from "../callbacks.ts";
import { deliveredTo } from "../delivered-mail.ts";
import { bounceOf, isComplaint, stranger } from "./bounce.ts";
import { deliveredStatus } from "./enhanced-status.ts";
import {
  fieldGroups,
  headerIn,
  isAutomatic,
  parseMail,
  partIn,
  returnedHeaders,
  type Fields,
  type ParsedMail,
} from "./mail.ts";
import { mailContentType, readMailId, senderOf } from "./inbound.ts";
import { mailIdOfPath, ownMailId, readReturnPath } from "./return-path.ts";

type Ids = Pick<Report, "providerMessageId" | "otherIds" | "messageId">;

/**
 * What a mail tells that came to a return path or to one of our addresses: what became of a message (RFC 3464), that it was unwanted (RFC 5965), or what a person wrote. Who answers to a return path
 * is a machine, whether it says so or not (RFC 3834 §4).
 */
export async function readMail(
  { url, headers, body }: Callback,
  gateway: { readonly name: string },
): Promise<readonly CallbackItem[]> {
  const to = deliveredTo(url);
  if (to === undefined) return [{ kind: "unreadable", why: "it does not say to whom it came" }];
  const mail = await parseMail(body);
  // Only as a whole: who forwards a report to a colleague reports nothing.
  if (/^multipart\/report\b/i.test(headerIn(mail, "content-type") ?? "")) {
    const status = partIn(mail, "message/delivery-status", "message/global-delivery-status");
    if (status !== undefined) return [deliveryReport(mail, fieldGroups(status), to, gateway)];
    const feedback = partIn(mail, "message/feedback-report");
    if (feedback !== undefined) return [complaint(mail, fieldGroups(feedback)[0], to)];
  }
  if (readReturnPath(to.local) !== undefined)
    return [{ kind: "ignored", what: "an answer to a return path" }];
  if (isAutomatic(mail, headers["mail-from"]))
    return [{ kind: "ignored", what: "a mail that a machine wrote" }];
  return [
    {
      kind: "inbound",
      providerMessageId: readMailId(mail, body),
      from: senderOf(mail),
      contentType: mailContentType(to.address),
      raw: body,
    },
  ];
}

/** By the return path first, which is signed; then by the Message-ID of the mail that came back, where it is one of ours. */
function idsOf(to: Email, returned: Fields, said = ""): Ids | undefined {
  const original = ownMailId(returned.get("message-id"));
  const path = readReturnPath(to.local);
  const named = /<?(b-[\w-]{1,62})@([a-z0-9.-]{1,253})>?/i.exec(said);
  const other = named === null ? undefined : readReturnPath(named[1]!);
  if (path !== undefined)
    return {
      providerMessageId: mailIdOfPath(path, to.domain),
      messageId: path.messageId,
      ...(original !== undefined && { otherIds: [original] }),
    };
  if (original !== undefined) return { providerMessageId: original };
  return other && { providerMessageId: mailIdOfPath(other, named![2]!.toLowerCase()) };
}

/** Of the same mail the same, however often it is delivered. */
const eventIdOf = (what: string, mail: ParsedMail, parts: readonly string[]): string =>
  `${what}.${hash("sha256", [mail.messageId ?? mail.date ?? "", ...parts].join("\u001f"), "hex").slice(0, 32)}`;

function deliveryReport(
  mail: ParsedMail,
  groups: readonly Fields[],
  to: Email,
  gateway: { readonly name: string },
): CallbackItem {
  const actions = groups.map((group) => ({ group, action: actionOf(group) }));
  const told =
    actions.find(({ action }) => action === "failed") ??
    actions.find(({ action }) => action === "delivered");
  if (told === undefined) {
    const other = actions.find(({ action }) => action !== undefined);
    if (other === undefined) return { kind: "unreadable", why: "it reports on no recipient" };
    // A server that keeps trying says so; it is no news of an end.
    return { kind: "ignored", what: other.action!.slice(0, 64) };
  }
  const ids = idsOf(to, returnedHeaders(mail));
  if (ids === undefined) return stranger;
  const { group, action } = told;
  const eventId = eventIdOf("dsn", mail, [ids.providerMessageId, action!]);
  if (action === "delivered")
    return { kind: "report", report: { ...ids, eventId, status: "delivered" } };
  const recipient = group.get("final-recipient")?.replace(/^[^;]*;\s*/, "");
  const bounce = bounceOf(gateway.name, deliveredStatus(group), recipient);
  return { kind: "report", report: { ...ids, eventId, ...bounce } };
}

const actionOf = (group: Fields): string | undefined =>
  /^[a-z-]+/i.exec(group.get("action") ?? "")?.[0].toLowerCase();

function complaint(mail: ParsedMail, fields: Fields | undefined, to: Email): CallbackItem {
  const type = fields?.get("feedback-type") ?? "";
  if (!isComplaint(type))
    return { kind: "ignored", what: `feedback: ${type || "no type"}`.slice(0, 64) };
  const ids = idsOf(to, returnedHeaders(mail), fields!.get("original-mail-from"));
  if (ids === undefined) return stranger;
  const reporter = fields!.get("user-agent") ?? fields!.get("source-ip");
  return {
    kind: "report",
    report: {
      ...ids,
      eventId: eventIdOf("arf", mail, [ids.providerMessageId, type.toLowerCase()]),
      status: "complained",
      diagnostic: [type, reporter].filter((part) => part !== undefined).join(", "),
    },
  };
}
