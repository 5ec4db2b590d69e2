import { setTimeout as pause } from "node:timers/promises";
import { projections } from "./check-projections.ts";
import { pendingSample, unfinished } from "./log.ts";
import type { World } from "./world.ts";

const environments = ["sandbox", "live"] as const;
/** Nothing new for so long, with nothing left to do and no consumer behind, is rest: receipts come within 150 ms. */
const restMs = 1_500;

/** Waits until the product has come to rest. Throws with what was left when it has not within the time. */
export async function quiesce(world: World, timeoutMs = 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let seen = "";
  let since = performance.now();
  let left = "";
  while (performance.now() < deadline) {
    try {
      const states = await Promise.all(
        environments.map((environment) => unfinished(world, environment)),
      );
      const behind = (await projections(world))
        .filter(({ lag_events: lag }) => lag > 0)
        .map(
          ({ name, environment, lag_events: lag, last_error: error }) =>
            `${environment}/${name} ${lag} behind ${error ?? ""}`,
        );
      left = [...states.map((state) => state.left).filter(Boolean), ...behind].join("; ");
      const now = `${states.map(({ head }) => head).join()} ${world.journal.arrivals.length} ${left}`;
      if (now !== seen || left !== "") [seen, since] = [now, performance.now()];
      else if (performance.now() - since > restMs) return;
    } catch (error) {
      left = error instanceof Error ? error.message : String(error);
      since = performance.now();
    }
    await pause(150);
  }
  const pending = await Promise.all(
    environments.map((environment) =>
      pendingSample(world.instance.databaseUrl, environment).catch(() => []),
    ),
  );
  throw new Error(
    `not at rest after ${timeoutMs / 1000} s: ${[left || "it goes on and on", ...pending.flat()].join("\n  ")}`,
  );
}
