/** What a webhook answered: it has the message; it does not take this one; it is away, or asks for time. */
export type Posted =
  | { readonly kind: "taken" }
  | { readonly kind: "refused"; readonly status: number }
  | { readonly kind: "away"; readonly reason: string; readonly retryAfterMs: number | undefined };

/** Slack answers within a second or two. */
const deadlineMs = 10_000;
/** However much time it asks for. */
const longestRetryAfterMs = 3_600_000;

/** Posts a message to an incoming webhook. Never throws. The address is a secret: no reason names it. */
export async function post(url: string, message: object, stopping: AbortSignal): Promise<Posted> {
  try {
    const answer = await fetch(url, {
      method: "POST",
      redirect: "manual",
      // One message now and then: no connection waits for the next.
      headers: { "content-type": "application/json; charset=utf-8", connection: "close" },
      body: JSON.stringify(message),
      signal: AbortSignal.any([stopping, AbortSignal.timeout(deadlineMs)]),
    });
    // "ok", or the name of a fault; nothing of it is kept.
    await answer.body?.cancel();
    const { status } = answer;
    if (answer.ok) return { kind: "taken" };
    if (status !== 429 && status < 500) return { kind: "refused", status };
    const retryAfterMs = readRetryAfter(answer.headers.get("retry-after"));
    return { kind: "away", reason: `status ${status}`, retryAfterMs };
  } catch (error) {
    const { name, cause } = error as Error;
    const code = (cause as { readonly code?: unknown } | undefined)?.code;
    return {
      kind: "away",
      reason: typeof code === "string" ? code : name,
      retryAfterMs: undefined,
    };
  }
}

/** Slack writes seconds. */
const readRetryAfter = (value: string | null): number | undefined =>
  value !== null && /^\d{1,9}$/.test(value)
    ? Math.min(Number(value) * 1_000, longestRetryAfterMs)
    : undefined;
