import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { until } from "@heliograph/testkit";

/** Submits of a sender, and what each cost it. */
export type Seen = { readonly perSecond: number; readonly cpuMs: number };

const longestMs = 120_000;

/** How long the message centre of `smpp-centre.ts` took from the first submit to the last, ms, once so many are there. */
export const seenAll = async (centre: ChildProcess, submits: number): Promise<number> => {
  const { ms } = await until(
    async () => {
      centre.send("seen");
      const [seen] = (await once(centre, "message")) as [{ count: number; ms: number }];
      return seen.count >= submits && seen;
    },
    { timeoutMs: longestMs },
  );
  return ms;
};
