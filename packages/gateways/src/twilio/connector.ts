import { callbackUrl } from "../callback-address.ts";
import {
  createCaller,
  objectIn,
  refusedByStatus,
  throttled,
  unanswered,
  type HttpAnswer,
  type HttpRequest,
} from "../call.ts";
import type { Attempt, Gateway, GatewayConfig, GatewayTools, SendResult } from "../types.ts";
import { twilioError, twilioFailure, type TwilioError } from "./errors.ts";
import type { TwilioSecrets, TwilioSettings } from "./settings.ts";

const defaultBase = "https://api.twilio.com";
/** Longest that Twilio takes: ten hours. */
const maxValiditySeconds = 36_000;

/** What is posted for an attempt; undefined when nothing says who sends it. */
export function twilioForm(
  attempt: Attempt,
  settings: TwilioSettings,
  statusCallback: string,
): URLSearchParams | undefined {
  const service = attempt.from === undefined ? settings.messaging_service_sid : undefined;
  const from = service === undefined ? (attempt.from ?? settings.from) : undefined;
  if (service === undefined && from === undefined) return undefined;
  const form = new URLSearchParams({ To: attempt.to });
  if (service !== undefined) form.set("MessagingServiceSid", service);
  if (from !== undefined) form.set("From", from);
  if (attempt.content.text !== undefined) form.set("Body", attempt.content.text);
  for (const { url } of attempt.media ?? []) form.append("MediaUrl", url);
  // Signed with the rest: by it a message is found whose answer never came.
  form.set(
    "StatusCallback",
    `${statusCallback}?message=${attempt.messageId}&attempt=${attempt.attempt}`,
  );
  const { validForSeconds } = attempt;
  if (validForSeconds !== undefined && validForSeconds <= maxValiditySeconds)
    form.set("ValidityPeriod", String(Math.max(1, Math.floor(validForSeconds))));
  return form;
}

export const twilioAddress = ({ base_url = defaultBase, account_sid }: TwilioSettings): string =>
  `${base_url.replace(/\/+$/, "")}/2010-04-01/Accounts/${account_sid}`;

/** Sends over Twilio's REST interface. Connections are kept open; nothing is sent twice by itself. */
export function createTwilioGateway({
  config,
  settings,
  secrets,
  tools,
}: {
  readonly config: GatewayConfig;
  readonly settings: TwilioSettings;
  readonly secrets: TwilioSecrets;
  readonly tools: GatewayTools;
}): Gateway {
  const caller = createCaller(config);
  const address = twilioAddress(settings);
  const statusCallback = callbackUrl(tools.origin, tools.masterKey, config.gateway_id);
  const login = Buffer.from(`${settings.account_sid}:${secrets.auth_token}`).toString("base64");
  const headers = { authorization: `Basic ${login}`, accept: "application/json" };
  const asked: HttpRequest = { method: "GET", url: `${address}.json`, headers };

  return {
    name: config.name,
    kind: config.kind,
    async send(attempt, signal) {
      const form = twilioForm(attempt, settings, statusCallback);
      if (form === undefined) {
        const text = "neither the message nor the gateway says who sends it";
        return { type: "rejected", error: twilioFailure(config.name, "invalid_sender", { text }) };
      }
      const outcome = await caller.call(
        {
          method: "POST",
          url: `${address}/Messages.json`,
          headers: { ...headers, "content-type": "application/x-www-form-urlencoded" },
          body: form.toString(),
        },
        signal,
      );
      return outcome.kind === "answered"
        ? meaningOf(config.name, outcome.answer, attempt.to)
        : unanswered(outcome, (reason, said) => twilioFailure(config.name, reason, said));
    },
    async check(signal) {
      const outcome = await caller.call(asked, signal);
      if (outcome.kind !== "answered")
        throw new Error(outcome.kind === "uncertain" ? outcome.cause : outcome.why);
      const { status, body } = outcome.answer;
      if (status !== 200)
        throw new Error(
          `${status} ${textIn(objectIn(body)?.["message"])?.slice(0, 300) ?? ""}`.trim(),
        );
    },
    close: () => caller.close(),
  };
}

/** The queue of the number that sends is full: that of another one need not be. */
const queueOfSender = "21611";

const textIn = (value: unknown): string | undefined =>
  typeof value === "string" ? value : undefined;

/** What the answer says of the message. One that cannot be read says nothing: the message may be on its way. */
function meaningOf(gateway: string, answer: HttpAnswer, to: string): SendResult {
  const body = objectIn(answer.body);
  const { status } = answer;
  if (status >= 200 && status < 300) {
    const sid = body?.["sid"];
    if (typeof sid !== "string" || sid === "" || sid.length > 512)
      return { type: "uncertain", cause: "connection_lost" };
    const word = textIn(body?.["status"])?.slice(0, 64) ?? "accepted";
    return { type: "accepted", providerMessageId: sid, status: word };
  }
  const given = body?.["code"];
  const text = textIn(body?.["message"]);
  const said = {
    code: String(typeof given === "number" || typeof given === "string" ? given : status),
    ...(text !== undefined && { text }),
  };
  const failure = (reason: TwilioError) => twilioFailure(gateway, reason, said, to);
  const known = status < 500 && status >= 400 ? twilioError(said.code) : undefined;
  if (known === "provider_throttled")
    return throttled(answer, failure(known), said.code === queueOfSender ? "recipient" : "gateway");
  if (known === undefined) return refusedByStatus(answer, failure, said);
  return { type: "rejected", error: failure(known) };
}
