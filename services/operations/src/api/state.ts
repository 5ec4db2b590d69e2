import {
  type Answer,
  type ApiContext,
  type Call,
  type ProjectionView,
  readProjections,
  type Route,
  route,
} from "@heliograph/api";
import { environments } from "@heliograph/contracts";
import { z } from "zod";

/** Anybody may ask, so what it costs has a bound: one look at the tables a second, however many ask. */
const keptMs = 1_000;

const State = z
  .object({
    status: z.enum(["ready", "not_ready"]).meta({ description: "Of the API itself." }),
    at: z.string().meta({
      description: "When it was looked at. RFC 3339, UTC.",
      example: "2026-05-23T14:22:17.042Z",
    }),
    environments: z.array(
      z.object({
        environment: z.enum(environments),
        consumers: z.int().meta({ description: "How many there are." }),
        not_running: z.int().meta({ description: "How many of them read nothing at the moment." }),
        lag_events: z.int().meta({ description: "Of the one that is furthest behind." }),
        lag_ms: z.number().meta({ description: "Of the one that is furthest behind." }),
      }),
    ),
  })
  .meta({ id: "PlatformState" });
type State = z.infer<typeof State>;

const summaryOf = (
  environment: (typeof environments)[number],
  rows: readonly ProjectionView[],
): State["environments"][number] => ({
  environment,
  consumers: rows.length,
  not_running: rows.filter(({ status }) => status !== "running").length,
  lag_events: Math.max(0, ...rows.map((row) => row.lag_events)),
  lag_ms: Math.round(Math.max(0, ...rows.map((row) => row.lag_ms))),
});

async function look(context: ApiContext): Promise<State> {
  const all = await Promise.all(
    environments.map(async (environment) =>
      summaryOf(environment, await readProjections(environment, context.environments[environment])),
    ),
  );
  const ready = !context.stopping.aborted && (context.waitingFor?.() ?? []).length === 0;
  const at = new Date().toISOString();
  return { status: ready ? "ready" : "not_ready", at, environments: all };
}

const kept = new WeakMap<ApiContext, { readonly until: number; readonly state: Promise<State> }>();

async function show({ context }: Call): Promise<Answer> {
  const now = performance.now();
  let found = kept.get(context);
  if (found === undefined || found.until < now) {
    found = { until: now + keptMs, state: look(context) };
    kept.set(context, found);
  }
  return { status: 200, body: await found.state };
}

export const stateRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/status",
    scope: "public",
    summary: "Whether the platform is ready, and how far its consumers are behind",
    response: State,
    errors: ["log_unavailable"],
    handler: show,
  }),
];
