import { maskSecrets } from "@heliograph/contracts";
import type { Job } from "./job.ts";
import { attemptOutcomes, type AttemptOutcome } from "./tables/statistics.ts";
import type { DeliveryAttempt, Timing } from "./tables/webhooks.ts";
import type { Answer } from "./answer-reader.ts";
import { parseHttpDate } from "./http-date.ts";

/** What an attempt ended with. `excerpt` is the beginning of the body; `retryAfterMs` is what the answer asked for. */
export type Result =
  | {
      readonly type: "answer";
      readonly status: number;
      readonly excerpt: string;
      readonly retryAfterMs: number | undefined;
    }
  | { readonly type: "error"; readonly code: string; readonly message: string };

/** An error's text may quote the receiver, its certificate for example. */
const maxErrorChars = 300;

/** Only 429 and 503 may ask for time. `now` in epoch ms. */
export function answered({ status, excerpt, retryAfter: value }: Answer, now: number): Result {
  const asks = status === 429 || status === 503;
  return {
    type: "answer",
    status,
    excerpt,
    retryAfterMs: asks ? retryAfter(value, now) : undefined,
  };
}

/**
 * RFC 9110, section 10.2.3: seconds or a date, as milliseconds from now. Undefined when it is neither. However many digits it has, it is a wish to wait:
 * the schedule bounds it.
 */
export function retryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const at = parseHttpDate(value, now);
  return at === undefined ? undefined : Math.max(0, at - now);
}

/** The network's many codes as the few that a partner can act on. */
export function failure(error: Error): Result {
  const own = (error as { code?: unknown }).code;
  const code = typeof own === "string" ? own : error.name;
  // It is kept as JSON, which the database takes without NUL and halves of characters alone: the cut may make one.
  const text = (error.message || code).slice(0, maxErrorChars).toWellFormed();
  return { type: "error", code: publicCode(code), message: text.replaceAll("\0", "\u{fffd}") };
}

const ownCodes: ReadonlySet<string> = new Set([
  "address_refused",
  "bad_answer",
  "connect_timeout",
  "proxy_failed",
  "proxy_refused",
  "tls_failed",
]);

function publicCode(code: string): string {
  if (ownCodes.has(code)) return code;
  if (/^(ENOTFOUND|ENODATA|EAI_|ESERVFAIL|ETIMEOUT|EREFUSED)/.test(code)) return "dns_failed";
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code)) return "tls_failed";
  return "connection_failed";
}

/** What the partner reads of an attempt that did not succeed. */
function errorText(result: Result): string | undefined {
  if (result.type === "error") return `${result.code}: ${result.message}`;
  if (result.status >= 200 && result.status < 300) return undefined;
  return result.status >= 300 && result.status < 400
    ? "redirect_not_followed"
    : `status_${result.status}`;
}

/** An attempt as it is put on record; times in epoch ms. */
export function attemptOf(
  result: Result,
  { replay, batch }: Pick<Job, "replay" | "batch">,
  { startedAt, timing }: { readonly startedAt: number; readonly timing: Timing },
  now: number,
): DeliveryAttempt {
  const error = errorText(result);
  return {
    at: new Date(startedAt).toISOString(),
    ...(result.type === "answer" ? { status_code: result.status } : {}),
    ...(error === undefined ? {} : { error: maskSecrets(error) }),
    ...(replay === undefined ? {} : { replay_id: replay }),
    ...(batch === undefined ? {} : { batch_id: batch.id }),
    duration_ms: Math.max(0, now - startedAt),
    ...(Object.keys(timing).length === 0 ? {} : { timing }),
    ...(result.type === "answer" && result.excerpt !== ""
      ? { response_excerpt: maskSecrets(result.excerpt) }
      : {}),
  };
}

const known = new Set<string>(attemptOutcomes);

/** What an attempt counts as; undefined for one that we ended ourselves, which says nothing about the endpoint. */
export function outcomeOf(result: Result): AttemptOutcome | undefined {
  if (result.type === "error")
    return known.has(result.code) ? (result.code as AttemptOutcome) : undefined;
  if (result.status < 200) return "bad_answer";
  if (result.status < 300) return "delivered";
  if (result.status < 400) return "redirect_not_followed";
  return result.status < 500 ? "status_4xx" : "status_5xx";
}
