import type { Callback, CallbackItem, CallbackRequest, Signer, Verdict } from "../callbacks.ts";
import { jsonIn } from "../json-in.ts";
import { readMail } from "./reports.ts";
import { readSns } from "./ses-events.ts";
import { SnsMessage, verifySns } from "./sns.ts";
import { readSendgrid } from "./sendgrid-events.ts";
import { verifySendgrid } from "./sendgrid.ts";
import type { SmtpSettings } from "./settings.ts";

/** Whether the provider that takes the mail sent a request, by the scheme that the gateway's settings name. */
export function verifyEvents(request: CallbackRequest, settings: SmtpSettings): Verdict {
  if (settings.events === "sendgrid") return verifySendgrid(request, settings.sendgrid_public_key);
  return settings.events === "ses" ? verifySns(request, settings.sns_topics) : { kind: "forged" };
}

/** A topic of SNS has the events of all that use it, and a key of SendGrid's those of one account. */
export function toldThrough(
  { events, sendgrid_public_key: key, sns_topics: topics = [] }: SmtpSettings,
  callback?: Pick<Callback, "body">,
): readonly string[] {
  if (events === "sendgrid") return key === undefined ? [] : [`sendgrid ${key}`];
  if (events !== "ses") return [];
  const all = topics.map((topic) => `ses ${topic}`);
  if (callback === undefined) return all;
  const came = SnsMessage.safeParse(jsonIn(callback.body.toString("utf8"))).data?.TopicArn;
  return all.filter((each) => each === `ses ${came}`);
}

/** What came of a mail: as a mail itself, or as events of the provider. Each is known by its shape, so that history can be read whatever the settings are by now. */
export function readWhatCame(
  callback: Callback,
  gateway: Signer & { readonly name: string },
  settings: SmtpSettings | undefined,
): readonly CallbackItem[] | Promise<readonly CallbackItem[]> {
  if (callback.url.startsWith("mailto:")) return readMail(callback, gateway, settings);
  const posted = jsonIn(callback.body.toString("utf8"));
  return Array.isArray(posted) ? readSendgrid(posted, gateway) : readSns(posted, gateway);
}
