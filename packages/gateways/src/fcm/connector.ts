import { z } from "zod";
import {
  createCaller,
  objectIn,
  refusedByStatus,
  retryAfter,
  unanswered,
  type HttpAnswer,
  type HttpOutcome,
} from "../call.ts";
import { isUnsendable } from "../push-recipient.ts";
import type { Attempt, Gateway, GatewayConfig, SendResult } from "../types.ts";
import { createAccessTokens, type Grant } from "./access-tokens.ts";
import { fcmMessage } from "./content.ts";
import { fcmError, fcmErrors, fcmFailure, refusalIn, type FcmError } from "./errors.ts";
import type { FcmSecrets, FcmSettings } from "./settings.ts";

const defaultBase = "https://fcm.googleapis.com";
/** A quota is one of a minute (FCM, `QUOTA_EXCEEDED`): where no time is named, this one is waited. */
const quotaMs = 60_000;

type Parts = {
  readonly config: GatewayConfig;
  readonly settings: FcmSettings;
  readonly secrets: FcmSecrets;
};

/** Sends over FCM's HTTP v1 interface. Connections are kept open; nothing is sent twice by itself, but once with another access token where the first was refused. */
export function createFcmGateway({ config, settings, secrets }: Parts): Gateway {
  const account = secrets.service_account;
  const caller = createCaller(config);
  const url = settings.token_url ?? account.tokenUri;
  const tokens = createAccessTokens({ gateway: config.name, account, url, caller });
  const base = (settings.base_url ?? defaultBase).replace(/\/+$/, "");
  const address = `${base}/v1/projects/${settings.project_id}/messages:send`;

  async function post(body: string, grant: Grant, signal: AbortSignal): Promise<Posted> {
    if (grant.type === "failed") return grant;
    const headers = {
      authorization: `Bearer ${grant.token}`,
      "content-type": "application/json",
      accept: "application/json",
    };
    const outcome = await caller.call({ method: "POST", url: address, headers, body }, signal);
    return { type: "called", token: grant.token, outcome };
  }
  /** Who is not let in has sent nothing, so another token may be tried. */
  async function call(body: string, signal: AbortSignal): Promise<Posted> {
    const first = await post(body, await tokens.current(signal), signal);
    if (first.type === "failed" || !isTokenRefused(first.outcome)) return first;
    const other = await tokens.instead(first.token, signal);
    return other === undefined ? first : post(body, other, signal);
  }

  return {
    name: config.name,
    kind: config.kind,
    async send(attempt: Attempt, signal: AbortSignal): Promise<SendResult> {
      const message = fcmMessage(attempt, Date.now());
      if (isUnsendable(message)) {
        const { reason, text } = message;
        const error = fcmFailure(config.name, reason, { text }, attempt.to);
        return { type: "rejected", error };
      }
      const posted = await call(JSON.stringify({ message }), signal);
      if (posted.type === "failed") return posted.result;
      return meaningOf(config.name, posted.outcome, attempt.to);
    },
    /** FCM looks at a message to a topic that nobody has, and sends nothing. */
    async check(signal) {
      const message = { topic: "heliograph-check", data: { check: "1" } };
      const posted = await call(JSON.stringify({ validate_only: true, message }), signal);
      if (posted.type === "failed") throw new Error(wordsOf(posted.result));
      const { outcome } = posted;
      if (outcome.kind !== "answered")
        throw new Error(outcome.kind === "uncertain" ? outcome.cause : outcome.why);
      const { status, body } = outcome.answer;
      if (status !== 200) throw new Error(`${status} ${refusalIn(body)?.text ?? ""}`.trim());
    },
    close: () => caller.close(),
  };
}

type Posted =
  | Extract<Grant, { type: "failed" }>
  | { readonly type: "called"; readonly token: string; readonly outcome: HttpOutcome };

const wordsOf = (result: SendResult): string =>
  "error" in result
    ? `${result.error.provider?.code ?? result.error.code} ${result.error.provider?.text ?? ""}`.trim()
    : result.type;

/** What lacks at Apple or in browsers is answered with 401 too, and no token of ours helps there. */
function isTokenRefused(outcome: HttpOutcome): boolean {
  if (outcome.kind !== "answered" || outcome.answer.status !== 401) return false;
  return refusalIn(outcome.answer.body)?.code !== "THIRD_PARTY_AUTH_ERROR";
}

const MessageName = z.string().min(1).max(500);

/** An answer that cannot be read says nothing: the message may be on its way. */
function meaningOf(gateway: string, outcome: HttpOutcome, to: string): SendResult {
  if (outcome.kind !== "answered")
    return unanswered(outcome, (reason, said) => fcmFailure(gateway, reason, said));
  const { answer } = outcome;
  if (answer.status >= 200 && answer.status < 300) {
    const { data: name } = MessageName.safeParse(objectIn(answer.body)?.["name"]);
    return name === undefined
      ? { type: "uncertain", cause: "connection_lost" }
      : { type: "accepted", providerMessageId: name, status: "sent" };
  }
  return refused(gateway, answer, to);
}

function refused(gateway: string, answer: HttpAnswer, to: string): SendResult {
  const { status, headers, body } = answer;
  const refusal = refusalIn(body);
  const said = {
    code: refusal?.code || String(status),
    ...(refusal !== undefined && refusal.text !== "" && { text: refusal.text }),
  };
  const failure = (reason: FcmError) => fcmFailure(gateway, reason, said, to);
  const waitMs = retryAfter(headers["retry-after"]);
  // Messages were delivered that FCM had called unavailable: only where it says when to come again did it take nothing.
  if (status === 503 && waitMs === undefined)
    return { type: "uncertain", cause: "connection_lost" };
  // A quota may be that of the device as well as that of the project.
  if (status === 429) {
    const error = failure("provider_throttled");
    return { type: "unavailable", error, retryAfterMs: waitMs ?? quotaMs, throttles: "unknown" };
  }
  const known =
    refusal !== undefined && status >= 400 && status < 500 ? fcmError(refusal) : undefined;
  if (known === undefined) return refusedByStatus(answer, failure, said);
  const gone = fcmErrors[known].class === "recipient" && refusal!.token;
  return { type: "rejected", error: failure(known), ...(gone && { gone: {} }) };
}
