import { type Environment, PublicError } from "@heliograph/contracts";
import { formatPosition } from "@heliograph/log";
import { type DeadLetter, listDeadLetters, retryDeadLetter } from "@heliograph/runtime";
import { z } from "zod";
import { orNone, reachable, requireReach } from "../admin/environments.ts";
import type { Call } from "../call.ts";
import { ListQuery, listBody, listOf, pageOf } from "../listing.ts";
import { type Answer, type Route, route } from "../route.ts";

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

type Row = DeadLetter & { readonly environment: Environment };

const deadLetterView = ({ id, position, ...rest }: Row): object => ({
  id: `${rest.environment}-${id}`,
  ...rest,
  position: formatPosition(BigInt(position)),
});

/** Merges lists without changing the order in any of them, because cursors count on it. */
function newestFirst(lists: readonly (readonly Row[])[]): readonly Row[] {
  const queues = lists.filter((list) => list.length > 0).map((list) => [...list]);
  const rows: Row[] = [];
  while (queues.length > 0) {
    const newest = queues.reduce((best, queue) =>
      queue[0]!.created_at > best[0]!.created_at ? queue : best,
    );
    rows.push(newest.shift()!);
    if (newest.length === 0) queues.splice(queues.indexOf(newest), 1);
  }
  return rows;
}

async function list(call: Call<undefined, z.infer<typeof DeadLettersQuery>>): Promise<Answer> {
  const { environment, status } = call.query;
  if (environment !== undefined) requireReach(call, environment);
  const name = `dead-letters ${environment ?? ""} ${status ?? ""}`;
  const page = pageOf(call, name);
  // Ids count within an environment, so a cursor holds how far each one was read.
  const seen = new Map(
    (page.after ?? "").split(" ").map((item) => item.split("-") as [string, string]),
  );
  const lists = await Promise.all(
    (environment === undefined ? reachable(call) : [environment]).map(async (item) => {
      const before = seen.get(item);
      const options = {
        limit: page.limit + 1,
        ...(before !== undefined && { before }),
        ...(status !== undefined && { status }),
      };
      const rows = await orNone(
        listDeadLetters(call.context.environments[item].projectionPool, options),
      );
      return rows.map((row): Row => ({ ...row, environment: item }));
    }),
  );
  const rows = newestFirst(lists);
  const shown = rows.slice(0, page.limit);
  const reached = (): string => {
    for (const row of shown) seen.set(row.environment, row.id);
    return [...seen]
      .filter(([key]) => key !== "")
      .map(([key, id]) => `${key}-${id}`)
      .join(" ");
  };
  const body = listBody(call, name, page, rows, reached, deadLetterView);
  return { status: 200, body: { ...body, prev_cursor: null } };
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

export const adminDeadLetterRoutes: readonly Route[] = [
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
