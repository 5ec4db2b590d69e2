import { refusedByStatus, throttled, unanswered, type HttpOutcome } from "../call.ts";
import { createHttp2Caller } from "../http2-call.ts";
import { isUnsendable } from "../push-recipient.ts";
import type { Attempt, Gateway, GatewayConfig, SendResult } from "../types.ts";
import { notificationOf, type Notification } from "./content.ts";
import { apnsError, apnsErrors, apnsFailure, refusalIn, type ApnsError } from "./errors.ts";
import { providerTokens } from "./provider-tokens.ts";
import type { ApnsSecrets, ApnsSettings } from "./settings.ts";

const defaultBase = "https://api.push.apple.com";
/** Nobody's device: whom APNs lets in it tells that this is no token. */
const noDevice = "0".repeat(64);

type Parts = {
  readonly config: GatewayConfig;
  readonly settings: ApnsSettings;
  readonly secrets: ApnsSecrets;
};

/** Sends over one session of HTTP/2. Nothing is sent twice by itself, but what APNs has not looked at: because its token was too old, or its session ended before it. */
export function createApnsGateway({ config, settings, secrets }: Parts): Gateway {
  const base = (settings.base_url ?? defaultBase).replace(/\/+$/, "");
  const caller = createHttp2Caller(new URL(base).origin, config);
  const { team_id: teamId, key_id: keyId, topic } = settings;
  const tokens = providerTokens({ teamId, keyId, key: secrets.key });

  async function post(
    to: string,
    { headers, payload }: Notification,
    signal: AbortSignal,
  ): Promise<HttpOutcome> {
    const by = (token: string): Promise<HttpOutcome> =>
      caller.call(
        {
          method: "POST",
          url: `${base}/3/device/${to}`,
          headers: { ...headers, "apns-topic": topic, authorization: `bearer ${token}` },
          body: payload,
        },
        signal,
      );
    const token = tokens.current(Date.now());
    const first = await by(token);
    if (reasonIn(first) !== "ExpiredProviderToken") return first;
    const other = tokens.instead(token, Date.now());
    return other === undefined ? first : by(other);
  }

  return {
    name: config.name,
    kind: config.kind,
    async send(attempt: Attempt, signal: AbortSignal): Promise<SendResult> {
      const notification = notificationOf(attempt, Date.now());
      if (isUnsendable(notification)) {
        const { reason, text } = notification;
        return { type: "rejected", error: apnsFailure(config.name, reason, { text }, attempt.to) };
      }
      const outcome = await post(attempt.to, notification, signal);
      return meaningOf(config.name, outcome, attempt.to, notification.headers["apns-id"]!);
    },
    async check(signal) {
      const headers = { "apns-push-type": "alert", "apns-priority": "10" };
      const outcome = await post(noDevice, { headers, payload: '{"aps":{}}' }, signal);
      if (outcome.kind !== "answered")
        throw new Error(outcome.kind === "uncertain" ? outcome.cause : outcome.why);
      const reason = reasonIn(outcome);
      if (reason !== "BadDeviceToken")
        throw new Error(`${outcome.answer.status} ${reason ?? ""}`.trim());
    },
    close: () => caller.close(),
  };
}

const reasonIn = (outcome: HttpOutcome): string | undefined =>
  outcome.kind === "answered" ? refusalIn(outcome.answer.body)?.reason : undefined;

const isOfDevice = (reason: string): boolean => reason === "TooManyRequests";

/** An answer that cannot be read says nothing: the notification may be on its way. */
function meaningOf(gateway: string, outcome: HttpOutcome, to: string, id: string): SendResult {
  if (outcome.kind !== "answered")
    return unanswered(outcome, (reason, said) => apnsFailure(gateway, reason, said));
  const { answer } = outcome;
  const { status, headers, body } = answer;
  if (status === 200) {
    const given = headers["apns-id"];
    // Who takes a notification says nothing more.
    if (given === undefined && body !== "") return { type: "uncertain", cause: "connection_lost" };
    const taken = typeof given === "string" && given !== "" ? given.slice(0, 64) : id;
    return { type: "accepted", providerMessageId: taken, status: "sent" };
  }
  const refusal = refusalIn(body);
  const said = { code: refusal?.reason ?? String(status) };
  const failure = (reason: ApnsError) => apnsFailure(gateway, reason, said, to);
  const known =
    refusal !== undefined && status >= 400 && status < 500 ? apnsError(refusal.reason) : undefined;
  // Where nothing is, the address is not that of APNs.
  if (known === undefined)
    return refusedByStatus({ ...answer, status: status === 404 ? 401 : status }, failure, said);
  if (known === "provider_throttled")
    return throttled(answer, failure(known), isOfDevice(said.code) ? "recipient" : "gateway");
  // A bad token may be one for the other APNs, that of trials: only what Apple says of an app that is gone makes a device go.
  const gone = status === 410 && apnsErrors[known].class === "recipient";
  const since = refusal!.timestamp;
  return {
    type: "rejected",
    error: failure(known),
    ...(gone && { gone: since === undefined ? {} : { since } }),
  };
}
