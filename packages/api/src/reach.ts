import { type Environment, PublicError, environments } from "@heliograph/contracts";
import type { Call } from "./call.ts";

/** What an admin key reaches: a sandbox key the sandbox only. */
export const reachable = (call: Call<unknown, unknown>): readonly Environment[] =>
  call.env === "live" ? environments : ["sandbox"];

/** Throws `not_found` when the key does not reach the environment: to it, nothing is there. */
export function requireReach(call: Call<unknown, unknown>, environment: Environment): void {
  if (!reachable(call).includes(environment))
    throw new PublicError("not_found", "There is no such environment for this key.");
}

/** Runs a query on tables of the runtime; an environment in which no consumer has run yet has none, and so no rows. */
export async function orNone<Row>(query: Promise<readonly Row[]>): Promise<readonly Row[]> {
  try {
    return await query;
  } catch (error) {
    if (["42P01", "3F000"].includes((error as { code?: string }).code ?? "")) return [];
    throw error;
  }
}
