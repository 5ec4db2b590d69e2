import { PublicError } from "@heliograph/contracts";
import {
  burstOf,
  intervalMs,
  type KnownPartner,
  type Limit,
  type Verdict,
} from "@heliograph/runtime";

/** A partner without a limit of its own: 200 requests a second, bursts of 2,000. */
const defaultLimit: Limit = { requests: 2_000, windowSeconds: 10 };

export const daySeconds = 86_400;

/** What bounds a partner; undefined: nothing does. */
export type Limits = {
  readonly requests: Limit;
  readonly messages: Limit | undefined;
  readonly day: number | undefined;
  readonly recipient: Limit | undefined;
};

/** What of a partner its limits are made of. */
export type Limited = Pick<
  KnownPartner,
  "rate_limit" | "message_rate" | "daily_messages" | "recipient_rate"
>;
const known = new WeakMap<Limited, Limits>();

/** The limits of a partner as it is known now. */
export function limitsOf(partner: Limited): Limits {
  let limits = known.get(partner);
  if (limits === undefined) known.set(partner, (limits = readLimits(partner)));
  return limits;
}

function readLimits(partner: Limited): Limits {
  const { rate_limit: own, message_rate: rate, recipient_rate: recipient } = partner;
  return {
    requests: own
      ? { requests: own.requests, windowSeconds: own.window_seconds, burst: own.burst }
      : defaultLimit,
    messages: rate === undefined ? undefined : { requests: rate, windowSeconds: 1 },
    day: partner.daily_messages,
    recipient: recipient && {
      requests: recipient.messages,
      windowSeconds: recipient.window_seconds,
    },
  };
}

/** A limit as the headers and `GET /limits` show it. */
export type Policy = {
  readonly name: "requests" | "burst" | "messages" | "day";
  readonly limit: number;
  readonly windowSeconds: number;
  readonly remaining: number;
  readonly resetSeconds: number;
};

/**
 * The policies of a rate: what it allows in its window and, where that is another number, at once. Both are one bucket, so what is left of the one is never more than what is
 * left of the other.
 */
export function policiesOf(
  name: "requests" | "messages",
  limit: Limit,
  { remaining, resetSeconds }: Verdict,
): readonly Policy[] {
  const { requests, windowSeconds, burst } = limit;
  const sustained: Policy = {
    name,
    limit: requests,
    windowSeconds,
    remaining: Math.min(requests, remaining),
    resetSeconds: Math.min(windowSeconds, resetSeconds),
  };
  if (burst === undefined) return [{ ...sustained, resetSeconds }];
  const fullMs = burstOf(limit) * intervalMs(limit);
  return [
    sustained,
    {
      name: "burst",
      limit: burst,
      windowSeconds: Math.max(1, Math.ceil(fullMs / 1000)),
      remaining,
      resetSeconds,
    },
  ];
}

export const dayPolicy = (most: number, { remaining, resetSeconds }: Verdict): Policy => ({
  name: "day",
  limit: most,
  windowSeconds: daySeconds,
  remaining,
  resetSeconds,
});

/** `RateLimit-Policy` and `RateLimit` as lists of RFC 9651 (draft-ietf-httpapi-ratelimit-headers). */
export function policyHeaders(policies: readonly Policy[]): readonly string[] {
  let allowed = "";
  let left = "";
  for (const { name, limit, windowSeconds, remaining, resetSeconds } of policies) {
    const comma = allowed === "" ? "" : ", ";
    allowed += `${comma}"${name}";q=${limit};w=${windowSeconds}`;
    left += `${comma}"${name}";r=${remaining};t=${resetSeconds}`;
  }
  return ["RateLimit-Policy", allowed, "RateLimit", left];
}

/** The refusal by a policy. `retry_after_seconds` is for items of a batch, which have no header. */
export function overLimit(
  policy: "requests" | "messages" | "day" | "recipient",
  detail: string,
  retryAfterSeconds: number,
): PublicError {
  return new PublicError("rate_limited", detail, {
    retryAfterSeconds,
    extra: { policy, retry_after_seconds: retryAfterSeconds },
  });
}

export const described = ({ requests, windowSeconds }: Limit, what: string): string =>
  `More than ${requests} ${what} in ${windowSeconds === 1 ? "a second" : `${windowSeconds} seconds`}.`;
