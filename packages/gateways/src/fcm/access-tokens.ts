import { z } from "zod";
import { refusedByStatus, unanswered, type HttpCaller, type HttpOutcome } from "../call.ts";
import { jsonIn } from "../json-in.ts";
import { signedJwt } from "../jwt.ts";
import type { SendResult } from "../types.ts";
import { fcmFailure, type FcmError } from "./errors.ts";
import type { ServiceAccount } from "./settings.ts";

const scope = "https://www.googleapis.com/auth/firebase.messaging";
/** Longest that Google lets an assertion live. */
const assertionSeconds = 3_600;
/** A renewal begins so long before the end; until it is there the old token serves. */
const aheadMs = 300_000;
/** A token is not used for its last seconds: it would end on the way. */
const marginMs = 30_000;
/** A failed renewal stands for so long, so that a burst of messages asks once. */
const failureStandsMs = 1_000;
/** A token that is refused is given up once in so long: what refuses every one is not helped by another. */
const refusalStandsMs = 10_000;
const renewalMs = 10_000;

const Granted = z.object({
  // Whatever else it is, it stands in a header.
  access_token: z.string().regex(/^[\x21-\x7e]{1,8000}$/),
  expires_in: z.number().min(0).max(86_400).catch(3_600),
});
const Denied = z.object({
  error: z.string().max(64),
  error_description: z.string().max(1_000).catch(""),
});

/** A token, or what an attempt comes to for want of one: never `uncertain`, because no message has left. */
export type Grant =
  | { readonly type: "granted"; readonly token: string }
  | { readonly type: "failed"; readonly result: SendResult };

export type AccessTokens = {
  /** Settles once `signal` is aborted. */
  current(signal: AbortSignal): Promise<Grant>;
  /** Another one in the place of a token that was refused; undefined where another was asked for a moment ago. */
  instead(token: string, signal: AbortSignal): Promise<Grant | undefined>;
};

type Held = { readonly token: string; readonly renewAt: number; readonly endsAt: number };

/** Access tokens of a service account (RFC 7523: a signed assertion for a token), one renewal at a time whoever waits for it. */
export function createAccessTokens(parts: {
  readonly gateway: string;
  readonly account: ServiceAccount;
  readonly url: string;
  readonly caller: HttpCaller;
}): AccessTokens {
  let held: Held | undefined;
  let renewing: Promise<Grant> | undefined;
  let failed: { readonly grant: Grant; readonly until: number } | undefined;
  let refusedUntil = 0;

  async function ask(): Promise<Grant> {
    const outcome = await parts.caller.call(requestOf(parts), AbortSignal.timeout(renewalMs));
    const now = Date.now();
    const granted =
      outcome.kind === "answered" && outcome.answer.status === 200
        ? Granted.safeParse(jsonIn(outcome.answer.body)).data
        : undefined;
    renewing = undefined;
    if (granted === undefined) {
      const grant = { type: "failed", result: failureIn(parts.gateway, outcome) } as const;
      failed = { grant, until: now + failureStandsMs };
      return grant;
    }
    const ends = now + granted.expires_in * 1_000;
    held = { token: granted.access_token, renewAt: ends - aheadMs, endsAt: ends - marginMs };
    failed = undefined;
    return { type: "granted", token: held.token };
  }
  const renew = (): Promise<Grant> => (renewing ??= ask());

  async function current(signal: AbortSignal): Promise<Grant> {
    const now = Date.now();
    const standing = failed !== undefined && now < failed.until ? failed.grant : undefined;
    if (held !== undefined && now < held.endsAt) {
      if (now >= held.renewAt && standing === undefined) void renew();
      return { type: "granted", token: held.token };
    }
    return standing ?? (await orGivenUp(parts.gateway, renew(), signal));
  }
  return {
    current,
    async instead(token, signal) {
      const now = Date.now();
      if (held?.token === token) {
        if (now < refusedUntil) return undefined;
        refusedUntil = now + refusalStandsMs;
        held = undefined;
      }
      return current(signal);
    },
  };
}

const requestOf = ({
  account,
  url,
}: {
  readonly account: ServiceAccount;
  readonly url: string;
}) => {
  const issuedAt = Math.floor(Date.now() / 1_000);
  const assertion = signedJwt(
    "RS256",
    account.key,
    { typ: "JWT", ...(account.keyId !== undefined && { kid: account.keyId }) },
    {
      iss: account.email,
      scope,
      aud: account.tokenUri,
      iat: issuedAt,
      exp: issuedAt + assertionSeconds,
    },
  );
  const grant = { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion };
  return {
    method: "POST",
    url,
    headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
    body: new URLSearchParams(grant).toString(),
  };
};

/** What a message comes to whose token could not be had. Nothing of it was sent, so nothing is uncertain. */
function failureIn(gateway: string, outcome: HttpOutcome): SendResult {
  const word = (reason: FcmError, said: { readonly code: string; readonly text?: string }) =>
    fcmFailure(gateway, reason, said);
  if (outcome.kind === "not sent") return unanswered({ ...outcome, givenUp: false }, word);
  if (outcome.kind === "uncertain") {
    const error = word("gateway_unreachable", { code: outcome.cause });
    return { type: "unavailable", error };
  }
  const { answer } = outcome;
  const denied = Denied.safeParse(jsonIn(answer.body)).data;
  const said = {
    code: denied?.error ?? String(answer.status),
    text: denied?.error_description || "no access token was given",
  };
  const isRefused = answer.status >= 400 && answer.status < 500;
  if (isRefused && answer.status !== 429 && answer.status !== 408)
    return { type: "rejected", error: word("gateway_authentication_failed", said) };
  const result = refusedByStatus(answer, word, said);
  return result.type === "uncertain"
    ? { type: "rejected", error: word("provider_unavailable", said) }
    : result;
}

/** What is waited for, or that its caller waits no more. */
function orGivenUp(gateway: string, waited: Promise<Grant>, signal: AbortSignal): Promise<Grant> {
  return new Promise((resolve) => {
    const givenUp = (): void => {
      const error = fcmFailure(gateway, "gateway_timeout", { code: "aborted" });
      resolve({ type: "failed", result: { type: "rejected", error } });
    };
    if (signal.aborted) return givenUp();
    signal.addEventListener("abort", givenUp, { once: true });
    void waited.then((grant) => {
      signal.removeEventListener("abort", givenUp);
      resolve(grant);
    });
  });
}
