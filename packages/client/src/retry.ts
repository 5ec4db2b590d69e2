/** The first pause is at most this long; each is at most twice the one before, up to the last. */
const [firstPauseMs, longestPauseMs] = [500, 8_000];

/** Milliseconds of a `Retry-After`: whole seconds, or a date of HTTP. Anything else says nothing. */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  const text = header?.trim() ?? "";
  // First, and to the end: `Date.parse("120")` is the year 120, and `1000abc` is no number.
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text))
    return undefined;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}

/** The pause behind the attempt of this number, from 1: between half of it and all of it, so that many clients do not come back together. */
export function pauseMs(attempt: number, random: number): number {
  const most = Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1));
  return most * (0.5 + random / 2);
}

/** Resolves after a time, rejects at once with the signal's reason; leaves neither timer nor listener. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      // The caller's own reason, whatever it is.
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}

/** A signal that ends by itself, and why. */
export type Scope = {
  readonly signal: AbortSignal;
  /** Its time is over. */
  isLate(): boolean;
  /** The time begins again. */
  renew(): void;
  /** Takes its timer and its listener away. */
  close(): void;
};

/** A signal that ends with another one or after a time, whichever is first. */
export function scope(ms: number, outer?: AbortSignal): Scope {
  const own = new AbortController();
  let isLate = false;
  let timer: NodeJS.Timeout | undefined;
  const start = (): void => {
    timer = setTimeout(() => {
      isLate = true;
      own.abort();
    }, ms);
  };
  const abort = (): void => own.abort(outer?.reason);
  start();
  if (outer?.aborted) abort();
  else outer?.addEventListener("abort", abort, { once: true });
  return {
    signal: own.signal,
    isLate: (): boolean => isLate,
    renew(): void {
      clearTimeout(timer);
      start();
    },
    close(): void {
      clearTimeout(timer);
      outer?.removeEventListener("abort", abort);
    },
  };
}
