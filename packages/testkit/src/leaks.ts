import { createHook } from "node:async_hooks";
import { fileURLToPath } from "node:url";
import type pg from "pg";
import { sessionsOf } from "./database.ts";
import { until } from "./until.ts";

/** Closing takes a moment: backends end after their clients, servers after their last connection. */
const closingMs = 3_000;

/** Whatever a test has put in its place since. */
const immediate = globalThis.setImmediate;

const placesShown = 4;
const thisFile = fileURLToPath(import.meta.url);

/** The places in our code that asked for a timer, the nearest first; undefined where a library did: those of its connections end with them. */
function placeOf(stack: string): string | undefined {
  // Nobody can clear its timer, and it keeps no process.
  if (stack.includes("AbortSignal.timeout")) return undefined;
  const callers = stack
    .split("\n")
    .slice(1)
    .filter(
      (line) => /\/.+:\d+:\d+/.test(line) && !/[( ]node:/.test(line) && !line.includes(thisFile),
    );
  if (callers[0]?.includes("/node_modules/") !== false) return undefined;
  // Who waits, where what asks for the timer is a pause that many share.
  return callers
    .slice(0, placesShown)
    .map((line) => line.trim())
    .join(" ");
}

/**
 * Watches what is made from now on. `nothing` rejects when, some time after the test has closed everything, there is still a timer of our code in this process, or a
 * session on a database whose name begins with the prefix. A pool has one as soon as it was asked, a consumer one for its lease.
 */
export function watchLeaks(config: pg.PoolConfig, prefix: string) {
  // The stack of each is put into words only for what is still open at the end: almost nothing of very many.
  const open = new Map<number, Error>();
  const timers = (): string[] =>
    [...open].flatMap(([id, made]) => {
      const place = placeOf(made.stack ?? "");
      if (place !== undefined) return `a timer ${place}`;
      open.delete(id);
      return [];
    });
  const hook = createHook({
    init(id, type) {
      if (type === "Timeout") open.set(id, new Error("a timer"));
    },
    destroy: (id) => void open.delete(id),
    // A test makes millions of them.
    trackPromises: false,
  }).enable();
  return {
    async nothing(): Promise<void> {
      let left: readonly string[] = [];
      try {
        await until(
          async () => {
            const sessions = await sessionsOf(config, prefix);
            // Node tells of what has just ended, our own pause too, when it comes to its immediates.
            await new Promise((resolve) => immediate(resolve));
            left = [...timers(), ...sessions];
            return left.length === 0;
          },
          { timeoutMs: closingMs },
        );
      } catch (cause) {
        throw new Error(`the test has left open: ${left.join(", ")}`, { cause });
      } finally {
        hook.disable();
      }
    },
  };
}
