import type { Candidate } from "../src/choose.ts";
import type { RouteTo } from "../src/routing.ts";

/** A healthy gateway with room, as the choice sees it. */
export const gateway = (name: string, changes: Partial<Candidate> = {}): Candidate => ({
  name,
  weight: 1,
  cost: undefined,
  unhealthy: undefined,
  slow: undefined,
  full: false,
  asking: false,
  ...changes,
});

/** A route that draws by weight and fails over. */
export const route = (
  candidates: readonly Candidate[],
  more: Partial<Omit<RouteTo<Candidate>, "candidates">> = {},
): RouteTo<Candidate> => ({
  candidates,
  policy: "weighted",
  failover: true,
  rule: undefined,
  ...more,
});
