import { PublicError, isId } from "@heliograph/contracts";
import { formatPosition } from "@heliograph/log";
import { cancelRebuild, type RebuildJob, readRebuild, requestRebuild } from "@heliograph/runtime";
import { z } from "zod";
import {
  orNone,
  reachable,
  requireReach,
  type Call,
  keyReused,
  readProjections,
  listOf,
  type Answer,
  type Route,
  route,
} from "@heliograph/api";

const Environment = z.enum(["live", "sandbox"]);

const ProjectionView = z
  .object({
    name: z.string(),
    kind: z.enum(["projector", "reactor"]),
    environment: Environment,
    position: z.string(),
    head: z.string(),
    lag_events: z.int(),
    lag_ms: z.number(),
    rate: z.number().meta({ description: "Events a second." }),
    status: z.string(),
    last_error: z.string().optional(),
  })
  .meta({ id: "Projection" });

const RequestRebuild = z
  .strictObject({ environment: Environment, verify_only: z.boolean().optional() })
  .meta({ id: "RequestRebuild" });

const RebuildView = z
  .object({
    id: z.string(),
    name: z.string(),
    environment: Environment,
    verify_only: z.boolean(),
    status: z.enum(["requested", "running", "done", "failed", "canceled"]),
    processed: z.number(),
    total: z.number(),
    result: z.record(z.string(), z.unknown()).nullable(),
    error: z.string().nullable(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .meta({ id: "Rebuild" });

async function list(call: Call<undefined, undefined>): Promise<Answer> {
  const lists = await Promise.all(
    reachable(call).map((environment) =>
      readProjections(environment, call.context.environments[environment]),
    ),
  );
  return {
    status: 200,
    body: { data: lists.flat(), next_cursor: null, next_after: null, prev_cursor: null },
  };
}

async function rebuild(call: Call<z.infer<typeof RequestRebuild>, unknown>): Promise<Answer> {
  const { environment, verify_only = false } = call.body;
  const name = call.params["name"]!;
  requireReach(call, environment);
  const deps = call.context.environments[environment];
  const projection = (await readProjections(environment, deps)).find((item) => item.name === name);
  if (projection === undefined)
    throw new PublicError("not_found", `There is no projection ${name} in ${environment}.`);
  if (projection.kind !== "projector")
    throw new PublicError("conflict", `${name} has effects outside: it is never replayed.`);
  const job = await requestRebuild(deps.pool, name, verify_only, call.derivedId("prl"));
  const { id } = job;
  if (job.consumer !== name || job.verify_only !== verify_only) throw keyReused(id);
  return { status: 202, body: { id, name, environment, verify_only } };
}

async function find(call: Call<undefined, undefined>) {
  const { name, id } = call.params as { name: string; id: string };
  if (isId("prl", id))
    for (const environment of reachable(call)) {
      const { pool } = call.context.environments[environment];
      const [job] = await orNone(readRebuild(pool, id).then((found) => (found ? [found] : [])));
      if (job?.consumer === name) return { job, environment, pool };
    }
  throw new PublicError("not_found", "There is no such rebuild.");
}

async function progress(call: Call<undefined, undefined>): Promise<Answer> {
  const { job, environment } = await find(call);
  return { status: 200, body: jobView(job, environment) };
}

async function cancel(call: Call<undefined, undefined>): Promise<Answer> {
  const { job, pool } = await find(call);
  const canceled = await cancelRebuild(pool, job.id);
  const { job: now, environment } = await find(call);
  if (!canceled && now.status !== "canceled")
    throw new PublicError("conflict", `The rebuild has ended: it is ${now.status}.`);
  return { status: 200, body: jobView(now, environment) };
}

const jobView = ({ consumer, result, ...job }: RebuildJob, environment: string): object => ({
  ...job,
  name: consumer,
  environment,
  result: result && { ...result, position: formatPosition(BigInt(result.position)) },
});

export const projectionRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/admin/projections",
    scope: "admin",
    summary: "Every consumer: where it stands, how fast it goes, what went wrong",
    response: listOf(ProjectionView, "ProjectionList"),
    errors: [],
    handler: list,
  }),
  route({
    method: "POST",
    path: "/admin/projections/:name/rebuild",
    scope: "admin",
    summary: "Rebuild a read model from the log while it serves, or only compare",
    mutates: true,
    status: 202,
    body: RequestRebuild,
    response: z
      .object({
        id: z.string(),
        name: z.string(),
        environment: Environment,
        verify_only: z.boolean(),
      })
      .meta({ id: "RequestedRebuild" }),
    errors: ["invalid_request", "malformed_json", "not_found", "conflict"],
    handler: rebuild,
  }),
  route({
    method: "GET",
    path: "/admin/projections/:name/rebuild/:id",
    scope: "admin",
    summary: "Progress and result of a rebuild",
    response: RebuildView,
    errors: ["not_found"],
    handler: progress,
  }),
  route({
    method: "POST",
    path: "/admin/projections/:name/rebuild/:id/cancel",
    scope: "admin",
    summary: "End a rebuild that has not ended; what is served stays",
    mutates: true,
    response: RebuildView,
    errors: ["not_found", "conflict"],
    handler: cancel,
  }),
];
