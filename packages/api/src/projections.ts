import type { Environment } from "@heliograph/contracts";
import { formatPosition } from "@heliograph/log";
import { listProjections } from "@heliograph/runtime";
import type { EnvironmentDeps } from "./context.ts";
import { orNone } from "./reach.ts";

/** A consumer as its owner last showed it, at most a second ago. */
export type ProjectionView = {
  readonly name: string;
  readonly kind: string;
  readonly environment: Environment;
  readonly position: string;
  readonly head: string;
  readonly lag_events: number;
  readonly lag_ms: number;
  readonly rate: number;
  readonly status: string;
  readonly last_error?: string;
};

/** The consumers of one environment, by name. */
export async function readProjections(
  environment: Environment,
  deps: EnvironmentDeps,
): Promise<readonly ProjectionView[]> {
  const [rows, head] = await Promise.all([
    orNone(listProjections(deps.projectionPool)),
    deps.log.head(),
  ]);
  return rows.map((row) => {
    const end = row.head ?? head;
    return {
      name: row.name,
      kind: row.kind,
      environment,
      position: formatPosition(row.position),
      head: formatPosition(end),
      lag_events: deps.log.span(row.position, end),
      lag_ms: end > row.position ? row.behindMs : 0,
      rate: Math.round(row.rate * 100) / 100,
      status: row.status,
      ...(row.last_error !== undefined && { last_error: row.last_error }),
    };
  });
}
