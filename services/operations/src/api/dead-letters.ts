import { type Environment, PublicError } from "@heliograph/contracts";
import { formatPosition } from "@heliograph/log";
import { type DeadLetter, listDeadLetters, retryDeadLetter } from "@heliograph/runtime";
import { z } from "zod";
import {
  orNone,
  reachable,
  type Located,
  listAcross,
  type Call,
  ListQuery,
  listOf,
  type Answer,
  type Route,
  route,
} from "@heliograph/api";

const DeadLettersQuery = ListQuery.omit({ before: true }).extend({
  environment: z.enum(["live", "sandbox"]).optional(),
  status: z.enum(["open", "retry", "resolved"]).optional(),
});

const DeadLetterView = z
  .object({
    id: z.string(),
    environment: z.enum(["live", "sandbox"]),
    consumer: z.string(),
    position: z.string(),
    event_id: z.string(),
    event_type: z.string(),
    reason: z.string(),
    status: z.enum(["open", "retry", "resolved"]),
    attempts: z.int(),
    created_at: z.string(),
  })
  .meta({ id: "DeadLetter" });

type Row = DeadLetter & { readonly time: string };

const deadLetterView = ({ id, position, time: _, ...rest }: Located<Row>): object => ({
  id: `${rest.environment}-${id}`,
  ...rest,
  position: formatPosition(BigInt(position)),
});

async function list(call: Call<undefined, z.infer<typeof DeadLettersQuery>>): Promise<Answer> {
  const { status } = call.query;
  const read = async (
    environment: Environment,
    range: { limit: number; before?: string },
  ): Promise<readonly Row[]> => {
    const { projectionPool } = call.context.environments[environment];
    const options = { ...range, ...(status !== undefined && { status }) };
    const rows = await listDeadLetters(projectionPool, options);
    return rows.map((row) => ({ ...row, time: row.created_at }));
  };
  const name = `dead-letters ${status ?? ""}`;
  return { status: 200, body: await listAcross(call, name, read, deadLetterView) };
}

async function retry(call: Call): Promise<Answer> {
  const id = call.params["id"]!;
  const match = /^(live|sandbox)-(\d{1,18})$/.exec(id);
  const environment = match?.[1] as Environment | undefined;
  if (environment === undefined || !reachable(call).includes(environment) || !(await found()))
    throw new PublicError("not_found", "There is no such open dead letter.");
  return { status: 202, body: { id } };

  async function found(): Promise<boolean> {
    const asked = retryDeadLetter(call.context.environments[environment!].pool, match![2]!);
    return (await orNone(asked.then((done) => [done])))[0] ?? false;
  }
}

export const deadLetterRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/admin/dead-letters",
    scope: "admin",
    summary: "Events that a consumer could not handle, newest first",
    query: DeadLettersQuery,
    response: listOf(DeadLetterView, "DeadLetterList"),
    errors: ["invalid_request", "not_found"],
    handler: list,
  }),
  route({
    method: "POST",
    path: "/admin/dead-letters/:id/retry",
    scope: "admin",
    summary: "Hand an event to its consumer again",
    mutates: true,
    status: 202,
    response: z.object({ id: z.string() }).meta({ id: "DeadLetterRetry" }),
    errors: ["not_found"],
    handler: retry,
  }),
];
