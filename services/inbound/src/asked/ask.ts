import type { Verdict } from "@heliograph/gateways";
import type { Get } from "./get.ts";

/** At once, of all gateways: who knows an address of callbacks could have us ask by each post. */
const maxAsking = 8;
const maxKept = 64;
const keptMs = 24 * 3_600_000;
/** What could not be had is not asked for again at once. */
const failureStandsMs = 10_000;
/** A certificate, and what it proves to be asked for. */
const maxQuestions = 2;

type Question = Extract<Verdict, { kind: "asks" }>;
type Settled = Exclude<Verdict, Question> | { readonly kind: "unsure"; readonly why: string };
/** `until` by the clock that nobody sets. */
type Kept = { readonly text: Promise<string>; until: number };

/** Asks the providers what verdicts depend on, and keeps for a day what stays the same. */
export function createAsk(get: Get): (verdict: Verdict) => Promise<Settled> {
  const kept = new Map<string, Kept>();
  let asking = 0;

  async function ask(url: string): Promise<string> {
    if (asking >= maxAsking) throw new Error("too much is asked for at once");
    asking++;
    try {
      return await get(url);
    } finally {
      asking--;
    }
  }

  function askOnce(url: string): Promise<string> {
    const known = kept.get(url);
    if (known !== undefined && performance.now() < known.until) return known.text;
    const entry: Kept = { text: ask(url), until: performance.now() + keptMs };
    kept.delete(url);
    kept.set(url, entry);
    if (kept.size > maxKept) kept.delete(kept.keys().next().value!);
    return entry.text;
  }

  return async (first) => {
    let verdict = first;
    for (let asked = 0; verdict.kind === "asks"; asked++) {
      if (asked === maxQuestions) return { kind: "unsure", why: "it leads from one to the next" };
      const { url, keep, decide } = verdict;
      try {
        verdict = decide(await (keep ? askOnce(url) : ask(url)));
      } catch (error) {
        const entry = keep ? kept.get(url) : undefined;
        if (entry !== undefined) entry.until = performance.now() + failureStandsMs;
        return { kind: "unsure", why: error instanceof Error ? error.message : String(error) };
      }
    }
    return verdict;
  };
}
