import { hash } from "node:crypto";
import type { Email } from "@heliograph/channels";
import type { Callback, CallbackItem, Report, Signer } from "../callbacks.ts";
import { withoutAddresses } from "../failure.ts";
import { readUnsubscribeToken } from "../unsubscribe-link.ts";
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
import { answeredBy, mailContentType, readMailId, senderOf } from "./inbound.ts";
import { isAuthenticated } from "./authenticated.ts";
import { mailIdsOfPath, ownMailId } from "./mail-id.ts";
import { isReturnPath, readReturnPath } from "./return-path.ts";
import type { SmtpSettings } from "./settings.ts";
import { isForReports } from "./taken.ts";
import { unsubscribeSubject } from "./headers.ts";

type Ids = Pick<Report, "providerMessageId" | "otherIds" | "messageId" | "attempt">;
/** What a report is about, and by what its events are named: that is the same whatever the keys are by now. */
type About = { readonly ids: Ids; readonly name: string };

/** Where a mail came to, and by what our own return paths are told from made-up ones. */
type Place = {
  readonly to: Email;
  readonly gateway: Signer & { readonly name: string };
  readonly returnDomain: string | undefined;
};

const ignored = (what: string): readonly CallbackItem[] => [{ kind: "ignored", what }];

/**
 * What a mail tells that came to a return path or to one of our addresses: what became of a message (RFC 3464), that it was unwanted (RFC 5965), or what a person wrote. Who answers to a return path
 * is a machine, whether it says so or not (RFC 3834 §4).
 */
export async function readMail(
  { url, headers, body }: Callback,
  gateway: Place["gateway"],
  settings: SmtpSettings | undefined,
): Promise<readonly CallbackItem[]> {
  const to = deliveredTo(url);
  if (to === undefined) return [{ kind: "unreadable", why: "it does not say to whom it came" }];
  const mail = await parseMail(body);
  // Anybody can send such a mail: it is nothing that an operator has to look at.
  if (mail === undefined) return ignored("a mail that is nested or headed beyond reason");
  const place = { to, gateway, returnDomain: settings?.return_path_domain };
  // Only as a whole: who forwards a report to a colleague reports nothing.
  if (/^multipart\/report\b/i.test(headerIn(mail, "content-type") ?? "")) {
    const status = partIn(mail, "message/delivery-status", "message/global-delivery-status");
    if (status !== undefined) return [deliveryReport(mail, fieldGroups(status), place)];
    const feedback = partIn(mail, "message/feedback-report");
    if (feedback !== undefined) return [complaint(mail, fieldGroups(feedback)[0], place)];
  }
  if (readReturnPath(to.local) !== undefined) return ignored("an answer to a return path");
  if (settings !== undefined && isForReports(to, settings))
    return ignored("no report, at an address for reports");
  const token = headers["mail-from"] === "" ? undefined : unsubscribeTokenIn(mail);
  const asked = token === undefined ? undefined : unsubscribing(token, mail, place);
  if (asked !== undefined) return [asked];
  if (isAutomatic(mail, headers["mail-from"])) return ignored("a mail that a machine wrote");
  const sender = senderOf(mail);
  if (sender === undefined) return ignored("a mail that does not say who wrote it");
  return [
    {
      kind: "inbound",
      providerMessageId: readMailId(mail, body),
      from: sender,
      contentType: mailContentType(to.address),
      raw: body,
      claim: {
        authenticated: isAuthenticated(mail, headers["remote-address"], settings?.authenticated_by),
        ...answeredBy(mail, gateway.masterKey),
      },
    },
    ...(token === undefined
      ? []
      : [{ kind: "ignored", what: "a word of nobody's", unproven: true } as const]),
  ];
}

/** What a mail program writes when its user unsubscribes by the header of a mail of ours: it names that mail by a token, whoever it says that it is from. Gateways that send mail are in live alone. */
function unsubscribing(
  token: string,
  mail: ParsedMail,
  { gateway: { masterKey } }: Place,
): CallbackItem | undefined {
  const message = readUnsubscribeToken(masterKey, token);
  if (message?.environment !== "live") return undefined;
  const { messageId } = message;
  return {
    kind: "report",
    report: {
      // Of whichever attempt: what is done about it is done to the message's recipient.
      providerMessageId: messageId,
      messageId,
      // Another mail counts again: the partner may have ended what the first one began.
      eventId: eventIdOf("unsubscribe", mail, [messageId]),
      status: "unsubscribed",
    },
  };
}

const unsubscribeShape = new RegExp(`^${unsubscribeSubject}\\s+([\\w-]{55})$`, "i");

const unsubscribeTokenIn = ({ subject = "" }: ParsedMail): string | undefined =>
  unsubscribeShape.exec(subject.trim())?.[1];

/**
 * By a return path, which is signed: where the report came to, or what it says that the mail had. The Message-ID of the mail that came back is no secret, since every answer quotes it: it counts
 * alone only for mail that was sent without a return path of ours.
 */
function aboutOf(place: Place, returned: Fields, said = ""): About | undefined {
  const { to, returnDomain } = place;
  const path =
    readReturnPath(to.local) === undefined
      ? [said, returned.get("return-path") ?? ""].map((text) => signedIn(place, text)).find(Boolean)
      : to;
  if (path !== undefined) {
    const named = readReturnPath(path.local)!;
    const { signed, plain } = mailIdsOfPath(place.gateway.masterKey, named, path.domain);
    const [providerMessageId, ...others] = signed;
    const ids = { providerMessageId: providerMessageId!, otherIds: [...others, plain], ...named };
    return { ids, name: plain };
  }
  const original = ownMailId(returned.get("message-id"));
  return original === undefined || original.toLowerCase().endsWith(`@${returnDomain}>`)
    ? undefined
    : { ids: { providerMessageId: original }, name: original };
}

/** The return path that a text names, where this gateway gave it out, or another one whose return paths have that domain: a complaint comes to whichever address the mailbox provider was told. */
function signedIn(
  { gateway: { masterKey, gatewayId, sharing = () => [] } }: Place,
  text: string,
): Pick<Email, "local" | "domain"> | undefined {
  const [, local, domain] = /^<?(b-[\w-]{1,62})@([a-z0-9.-]{1,253})>?$/i.exec(text) ?? [];
  if (local === undefined) return undefined;
  const at = domain!.toLowerCase();
  return isReturnPath(masterKey, [gatewayId, ...sharing(at)], local)
    ? { local, domain: at }
    : undefined;
}

/** A return path that nobody here gave out is made up, or was given out under a key that is there no more: what was believed by it then stands. */
const strangerTo = (mail: ParsedMail, said = ""): CallbackItem =>
  [said, returnedHeaders(mail).get("return-path") ?? ""].some(
    (text) => readReturnPath(/^<?([^@]*)@/.exec(text)?.[1] ?? "") !== undefined,
  )
    ? { ...stranger, unproven: true }
    : stranger;

/** Of the same mail the same, however often it is delivered. */
const eventIdOf = (what: string, mail: ParsedMail, parts: readonly string[]): string =>
  `${what}.${hash("sha256", [mail.messageId ?? mail.date ?? "", ...parts].join("\u001f"), "hex").slice(0, 32)}`;

function deliveryReport(mail: ParsedMail, groups: readonly Fields[], place: Place): CallbackItem {
  const about = aboutOf(place, returnedHeaders(mail));
  if (about === undefined) return strangerTo(mail);
  const { ids, name } = about;
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
  const { group, action } = told;
  const eventId = eventIdOf("dsn", mail, [name, action!]);
  if (action === "delivered")
    return { kind: "report", report: { ...ids, eventId, status: "delivered" } };
  const recipient = group.get("final-recipient")?.replace(/^[^;]*;\s*/, "");
  const bounce = bounceOf(place.gateway.name, deliveredStatus(group), recipient);
  return { kind: "report", report: { ...ids, eventId, ...bounce } };
}

const actionOf = (group: Fields): string | undefined =>
  /^[a-z-]+/i.exec(group.get("action") ?? "")?.[0].toLowerCase();

function complaint(mail: ParsedMail, fields: Fields | undefined, place: Place): CallbackItem {
  const type = fields?.get("feedback-type") ?? "";
  if (!isComplaint(type))
    return { kind: "ignored", what: `feedback: ${type || "no type"}`.slice(0, 64) };
  const said = fields!.get("original-mail-from");
  const about = aboutOf(place, returnedHeaders(mail), said);
  if (about === undefined) return strangerTo(mail, said);
  const { ids, name } = about;
  const reporter = fields!.get("user-agent") ?? fields!.get("source-ip");
  return {
    kind: "report",
    report: {
      ...ids,
      eventId: eventIdOf("arf", mail, [name, type.toLowerCase()]),
      status: "complained",
      diagnostic: withoutAddresses([type, reporter].filter(Boolean).join(", ")),
    },
  };
}
