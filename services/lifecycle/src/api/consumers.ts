import { PublicError } from "@heliograph/contracts";
import { type Answer, type Call, notValid, type Route, route } from "@heliograph/api";
import { z } from "zod";
import {
  deleteConsumer,
  listConsumers,
  maxConsumers,
  moveConsumer,
  readConsumer,
  type Consumer,
  type Owner,
} from "../tables/consumers.ts";
import { lastSequence } from "../tables/lifecycle.ts";
import { untilReached } from "./waiting.ts";

export const ConsumerName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);

const ConsumerView = z
  .object({
    name: z.string(),
    sequence: z.int().meta({ description: "It has handled every event up to this one." }),
    lag: z.int().meta({ description: "How many events came after that." }),
    created_at: z.string(),
    moved_at: z.string().meta({ description: "When it last committed, or was reset." }),
  })
  .meta({ id: "FeedConsumer" });
const Cursor = z
  .strictObject({ sequence: z.int().min(0).max(Number.MAX_SAFE_INTEGER) })
  .meta({ id: "FeedCursor" });

const ownerOf = ({ account, partner }: Call<unknown, unknown>): Owner => ({
  account,
  space: partner.partner_id,
});
const lastOf = ({ deps, partner }: Call<unknown, unknown>): Promise<number> =>
  lastSequence(deps.projectionPool, partner.partner_id);

const viewOf = (consumer: Consumer, last: number): object => ({
  ...consumer,
  lag: Math.max(0, last - consumer.sequence),
  created_at: consumer.created_at.toISOString(),
  moved_at: consumer.moved_at.toISOString(),
});

const notFound = (): PublicError =>
  new PublicError("not_found", "No consumer of this name has committed anything.");

/** Where a consumer goes on; one that never committed begins with the first event. */
export const cursorOf = async (call: Call<unknown, unknown>, name: string): Promise<number> =>
  (await readConsumer(call.deps.pool, ownerOf(call), name))?.sequence ?? 0;

async function list(call: Call): Promise<Answer> {
  const consumers = await listConsumers(call.deps.pool, ownerOf(call));
  const last = await lastOf(call);
  return { status: 200, body: { data: consumers.map((each) => viewOf(each, last)) } };
}

async function get(call: Call): Promise<Answer> {
  const found = await readConsumer(call.deps.pool, ownerOf(call), call.params["name"]!);
  if (found === undefined) throw notFound();
  return { status: 200, body: viewOf(found, await lastOf(call)) };
}

const move =
  (by: "commit" | "reset") =>
  async (call: Call<z.infer<typeof Cursor>, unknown>): Promise<Answer> => {
    const { data: name } = ConsumerName.safeParse(call.params["name"]);
    if (name === undefined)
      throw notValid("body", [
        {
          path: "name",
          code: "invalid_format",
          message: "begins with a letter or a digit; then also . _ and -, 64 at most",
        },
      ]);
    const { sequence } = call.body;
    await untilReached(call, sequence);
    const moved = await moveConsumer(call.deps.pool, ownerOf(call), name, sequence, by);
    if (moved === undefined)
      throw new PublicError(
        "conflict",
        `There are ${maxConsumers} consumers already: delete one that reads no more.`,
      );
    return { status: 200, body: viewOf(moved, await lastOf(call)) };
  };

async function remove(call: Call): Promise<Answer> {
  if (!(await deleteConsumer(call.deps.pool, call.account, call.params["name"]!))) throw notFound();
  return { status: 204 };
}

const moveErrors = [
  "invalid_request",
  "malformed_json",
  "conflict",
  "sequence_ahead",
  "idempotency_in_progress",
  "idempotency_key_reused",
] as const;

export const consumerRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/event-consumers",
    scope: "events:read",
    summary: "List the readers of the feed whose cursor is kept here, each with its lag",
    projection: "lifecycle",
    response: z.object({ data: z.array(ConsumerView) }).meta({ id: "FeedConsumers" }),
    errors: [],
    handler: list,
  }),
  route({
    method: "GET",
    path: "/event-consumers/:name",
    scope: "events:read",
    summary: "Get where a reader of the feed is",
    projection: "lifecycle",
    etag: true,
    response: ConsumerView,
    errors: ["not_found"],
    handler: get,
  }),
  route({
    method: "POST",
    path: "/event-consumers/:name/commit",
    scope: "events:read",
    summary: "Say that a reader has handled every event up to one; never moves it back",
    mutates: true,
    body: Cursor,
    response: ConsumerView,
    errors: moveErrors,
    handler: move("commit"),
  }),
  route({
    method: "POST",
    path: "/event-consumers/:name/reset",
    scope: "events:read",
    summary:
      "Let a reader of the feed go on behind any event, an earlier one too; 0: from the first",
    mutates: true,
    body: Cursor,
    response: ConsumerView,
    errors: moveErrors,
    handler: move("reset"),
  }),
  route({
    method: "DELETE",
    path: "/event-consumers/:name",
    scope: "events:read",
    summary: "Forget a reader of the feed and its cursor",
    mutates: true,
    response: undefined,
    errors: ["not_found", "idempotency_in_progress", "idempotency_key_reused"],
    handler: remove,
  }),
];
