import { isId } from "@heliograph/contracts";
import type { Callback, CallbackItem } from "../callbacks.ts";
import { billedAs } from "../failure.ts";
import { isBilled, twilioError, twilioErrors, twilioFailure, type TwilioError } from "./errors.ts";
import type { TwilioSettings } from "./settings.ts";

/** What changes a message; every other word (`queued`, `sending`, one that is new) is a state on the way. */
const statuses = {
  sent: "sent",
  delivered: "delivered",
  read: "read",
  undelivered: "undelivered",
  failed: "undelivered",
} as const;

const maxId = 200;

/** What Twilio posts: one form, about one message. */
export function readTwilio(
  { url, body, contentType }: Callback,
  gateway: { readonly name: string },
  settings?: TwilioSettings,
): readonly CallbackItem[] {
  const form = new URLSearchParams(body.toString("utf8"));
  const sid = form.get("MessageSid") ?? form.get("SmsSid") ?? "";
  if (sid === "" || sid.length > maxId)
    return [{ kind: "unreadable", why: "it has no MessageSid" }];
  const word = form.get("MessageStatus");
  if (word === null) {
    if (form.get("SmsStatus") !== "received" && !form.has("Body"))
      return [{ kind: "unreadable", why: "it is neither a status nor a message" }];
    const from = form.get("From") ?? "";
    return [{ kind: "inbound", providerMessageId: sid, from, contentType, raw: body }];
  }
  const status = Object.hasOwn(statuses, word)
    ? statuses[word as keyof typeof statuses]
    : undefined;
  if (status === undefined) return [{ kind: "ignored", what: word.slice(0, 64) }];
  const code = form.get("ErrorCode") ?? "";
  const messageId = URL.canParse(url) ? new URL(url).searchParams.get("message") : null;
  const failure = status === "undelivered" ? failureOf(gateway.name, code, form) : undefined;
  const isCharged = isBilled(word, code, settings?.billable);
  return [
    {
      kind: "report",
      report: {
        providerMessageId: sid,
        ...(messageId !== null && isId("msg", messageId) && { messageId }),
        // A failure that is told again with its code is told better.
        eventId: `${sid}.${word}${status === "undelivered" && code !== "" ? `.${code.slice(0, 16)}` : ""}`,
        status,
        ...(failure && { ...failure, error: billedAs(failure.error, isCharged) }),
      },
    },
  ];
}

/** An error stands beside a failure only: Twilio repeats an old one beside what follows. */
function failureOf(gateway: string, code: string, form: URLSearchParams) {
  const known = twilioError(code);
  // It is final, whatever the code would mean for another try.
  const reason: TwilioError =
    known !== undefined && twilioErrors[known].permanent ? known : "undelivered";
  const text = form.get("ErrorMessage") ?? undefined;
  const error = twilioFailure(gateway, reason, { code, text }, form.get("To") ?? "");
  return { permanent: true, error, diagnostic: error.provider!.text! };
}
