import type { Environment } from "@heliograph/contracts";
import { parseTime } from "@heliograph/domain";
import { z } from "zod";
import {
  type Located,
  listAcross,
  type Call,
  ListQuery,
  listOf,
  type Answer,
  type Route,
  route,
  TimeInput,
} from "@heliograph/api";
import { type AuditRow, readAudit } from "../tables/audit.ts";

const time = TimeInput.optional();
const AuditQuery = ListQuery.omit({ before: true }).extend({
  environment: z.enum(["live", "sandbox"]).optional(),
  actor: z.string().max(64).optional().meta({ description: "The id of a key." }),
  action: z.string().max(255).optional().meta({ example: "POST /keys" }),
  from: time.meta({ description: "Inclusive." }),
  to: time.meta({ description: "Exclusive." }),
});
type AuditQuery = z.infer<typeof AuditQuery>;

const AuditView = z
  .object({
    at: z.string(),
    environment: z.enum(["live", "sandbox"]),
    partner: z.string(),
    actor: z.string(),
    action: z.string(),
    target: z.string(),
    request_id: z.string(),
    ip: z.string(),
    outcome: z.int().meta({ description: "The HTTP status." }),
  })
  .meta({ id: "AuditEntry" });

const auditView = ({ id: _, time: at, ...rest }: Located<AuditRow>): object => ({ at, ...rest });

async function list(call: Call<undefined, AuditQuery>): Promise<Answer> {
  const { actor, action, from, to } = call.query;
  const filter = {
    ...(actor !== undefined && { actor }),
    ...(action !== undefined && { action }),
    ...(from !== undefined && { from: parseTime(from)! }),
    ...(to !== undefined && { to: parseTime(to)! }),
  };
  const read = (environment: Environment, range: { limit: number; before?: string }) =>
    readAudit(call.context.environments[environment].projectionPool, { ...range, ...filter });
  const name = `audit ${JSON.stringify(filter)}`;
  return { status: 200, body: await listAcross(call, name, read, auditView) };
}

export const auditRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/admin/audit",
    scope: "admin",
    summary: "Who changed what, or tried to, newest first",
    query: AuditQuery,
    response: listOf(AuditView, "AuditList"),
    errors: ["invalid_request", "not_found"],
    handler: list,
  }),
];
