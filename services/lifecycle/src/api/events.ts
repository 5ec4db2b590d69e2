import {
  lifecycleExample,
  lifecycleFamilies,
  lifecycleSchema,
  lifecycleTypeNames,
  lifecycleTypes,
  lifecycleVersion,
  typesNamed,
} from "@heliograph/domain";
import { EndpointFilters, type Environment } from "@heliograph/contracts";
import {
  bodiesBehind,
  readEarlierLifecycle,
  readLifecycle,
  type FeedFilter,
  type LifecycleRow,
} from "../tables/lifecycle.ts";
import { z } from "zod";
import {
  type Call,
  type Answer,
  type Route,
  route,
  anotherName,
  givenOnce,
  listed,
  parseJson,
  queryInt,
  stillAllowed,
  whileAllowed,
} from "@heliograph/api";
import { ConsumerName, cursorOf } from "./consumers.ts";
import { rest } from "./resting.ts";
import { untilReached, waiterOf } from "./waiting.ts";
import { streamEvents } from "./stream.ts";

const maxPageSize = 1_000;
const defaultPageSize = 100;
const maxWaitSeconds = 30;

const sequence = queryInt(0, Number.MAX_SAFE_INTEGER);
const types = listed([...lifecycleFamilies, ...lifecycleTypeNames]).meta({
  description: "One or more, separated by commas; `message.*` is all that begin with `message.`.",
});
const maxFilterLength = 4_096;
const filters = z
  .string()
  .max(maxFilterLength)
  .transform((text, context): EndpointFilters => {
    const found = EndpointFilters.safeParse(parsed(text));
    const { channels, tags, metadata } = found.data ?? {};
    const isAsked = channels !== undefined || tags !== undefined || metadata !== undefined;
    const asksNothing = metadata !== undefined && Object.keys(metadata).length === 0;
    if (found.success && isAsked && !asksNothing) return found.data;
    context.addIssue({
      code: "custom",
      message: "must be a JSON object with channels, tags or metadata, as an endpoint's filters",
    });
    return z.NEVER;
  })
  .meta({
    override: { type: "string" },
    description:
      'As the `filters` of a webhook endpoint, as JSON: `{"channels":["sms"],"tags":["vip"],"metadata":{"plan":["gold","silver"]}}`. Only events with one of the channels, one of the tags, and each key with its value or one of them.',
    examples: ['{"channels":["sms"]}'],
  });
function parsed(text: string): unknown {
  try {
    // What it refuses, such as `__proto__`, would be dropped from the filter, which then let more through.
    return parseJson(Buffer.from(text));
  } catch {
    return undefined;
  }
}
const EventsQuery = z.strictObject({
  after: sequence.optional(),
  cursor: anotherName(sequence, "after"),
  consumer: ConsumerName.optional().meta({
    description: "Goes on where this reader of yours has committed, at `/event-consumers`.",
  }),
  limit: queryInt(1, maxPageSize).optional(),
  types: types.optional(),
  event_types: anotherName(types, "types"),
  filters: filters.optional(),
  wait: z
    .string()
    .regex(/^\d{1,2}(?:\.\d{1,3})?$/, `must be a number from 0 to ${maxWaitSeconds}`)
    .transform(Number)
    .pipe(z.number().max(maxWaitSeconds))
    .meta({ override: { type: "number", minimum: 0, maximum: maxWaitSeconds } })
    .optional()
    .meta({ description: "Seconds to wait for an event when there is none." }),
});
const FeedQuery = EventsQuery.extend({
  before: queryInt(1, Number.MAX_SAFE_INTEGER).optional().meta({
    description:
      "The last events before this sequence in place of those after one, oldest first all the same. What is larger than any sequence gives the newest.",
  }),
})
  .refine(
    ({ before, after, cursor, wait }) =>
      before === undefined || (after === undefined && cursor === undefined && wait === undefined),
    { path: ["before"], message: "goes with neither after nor wait" },
  )
  .refine(
    ({ consumer, before, after, cursor }) =>
      consumer === undefined || (before ?? after ?? cursor) === undefined,
    { path: ["consumer"], message: "goes with neither after nor before" },
  );
const StreamQuery = EventsQuery.omit({ limit: true, wait: true }).refine(
  ({ consumer, after, cursor }) => consumer === undefined || (after ?? cursor) === undefined,
  { path: ["consumer"], message: "goes with no after" },
);

type StreamQuery = z.infer<typeof StreamQuery>;

/** Behind what the query names, else where its consumer has committed, else at the beginning. */
async function startOf(call: Call<unknown, StreamQuery>): Promise<number> {
  const { after, cursor, consumer } = call.query;
  if (consumer !== undefined) return cursorOf(call, consumer);
  return givenOnce({ after, cursor }) ?? 0;
}
const filterOf = ({ types: own, event_types: alias, filters: asked }: StreamQuery): FeedFilter => {
  const only = own ?? alias;
  return {
    ...(only !== undefined && { types: [...typesNamed(only)] }),
    ...(asked !== undefined && { filters: asked }),
  };
};

/** The rows are the texts that webhooks carry, with the number before each: they are opened and joined, never parsed. */
async function pageOf(
  { deps, partner }: Call<unknown, unknown>,
  rows: readonly LifecycleRow[],
  behind: number,
  more: object,
): Promise<Answer> {
  const data = (await deps.vault.openJson(partner.partner_id, bodiesBehind(rows, behind))).join(
    ",",
  );
  return {
    status: 200,
    body: `{"data":[${data}],${JSON.stringify(more).slice(1)}`,
    headers: { "content-type": "application/json" },
  };
}

async function readBefore(
  call: Call<undefined, z.infer<typeof FeedQuery>>,
  before: number,
): Promise<Answer> {
  const began = performance.now();
  const filter = filterOf(call.query);
  const limit = call.query.limit ?? defaultPageSize;
  const page = await readEarlierLifecycle(call.deps.projectionPool, {
    partner: call.partner.partner_id,
    before,
    limit,
    ...filter,
  });
  const { rows, last, behind, previous = null } = page;
  // More was kept back than given, as far as a call looks.
  if (filter.filters !== undefined && rows.length < limit && previous !== null)
    await rest(call, performance.now() - began, call.signal);
  const more = { next_after: last, next_cursor: String(last), prev_before: previous };
  return pageOf(call, rows, behind, more);
}

async function readEvents(call: Call<undefined, z.infer<typeof FeedQuery>>): Promise<Answer> {
  const { before } = call.query;
  if (before !== undefined) return readBefore(call, before);
  const pool = call.deps.projectionPool;
  const partner = call.partner.partner_id;
  const limit = call.query.limit ?? defaultPageSize;
  const filter = filterOf(call.query);
  const deadline = performance.now() + (call.query.wait ?? 0) * 1000;
  const behind = await startOf(call);
  let after = behind;
  for (;;) {
    const began = performance.now();
    const page = await readLifecycle(pool, { partner, after, limit, ...filter });
    const workedMs = performance.now() - began;
    const { rows, nextAfter, last } = page;
    const isAhead = after > last;
    after = nextAfter;
    const leftMs = deadline - performance.now();
    const isOver = leftMs <= 0 && nextAfter >= last && !isAhead;
    if (rows.length > 0 || isOver || call.signal.aborted)
      return pageOf(call, rows, behind, { next_after: nextAfter, next_cursor: String(nextAfter) });
    if (isAhead) await untilReached(call, after);
    else if (nextAfter >= last) {
      await whileAllowed(call, (signal) => waiterOf(pool).wait(partner, nextAfter, leftMs, signal));
      await stillAllowed(call);
    } else await rest(call, workedMs, call.signal);
  }
}

const LifecycleEvent = z
  .object({
    id: z.string(),
    type: z.string(),
    timestamp: z.string(),
    environment: z.enum(["live", "sandbox"]),
    sequence: z.int(),
    previous_sequence: z.int().optional().meta({
      description:
        "Where the feed or its stream gives the event: the number that you were told of before, that of the event before or the one that you asked behind. What is between the two, your types and filters kept back, or a restored backup left out. When it is above the last number that you know, something is missing.",
    }),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: "LifecycleEvent" });

const EventType = z
  .object({
    type: z.string(),
    description: z.string(),
    version: z.int().meta({
      description:
        "Of the schema. Fields are added under the same; what would break a reader needs the next.",
    }),
    schema: z
      .record(z.string(), z.unknown())
      .meta({ description: "Of `data`: JSON Schema 2020-12." }),
    example: LifecycleEvent.meta({ description: "A made-up event as it would arrive." }),
  })
  .meta({ id: "LifecycleEventType" });

/** Made once: they follow from the source. */
const known = new Map<Environment, object>();
function typesOf(environment: Environment): object {
  const made = known.get(environment) ?? {
    data: lifecycleTypeNames.map((type) => ({
      type,
      description: lifecycleTypes[type],
      version: lifecycleVersion,
      schema: lifecycleSchema(type),
      example: lifecycleExample(type, environment),
    })),
  };
  known.set(environment, made);
  return made;
}

export const eventRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/events",
    scope: "events:read",
    summary: "The feed of lifecycle events, oldest first, resumable from the beginning",
    projection: "lifecycle",
    query: FeedQuery,
    response: z
      .object({
        data: z.array(LifecycleEvent),
        next_after: z.int(),
        next_cursor: z
          .string()
          .meta({ description: "The same as `next_after`.", examples: ["1042"] }),
        prev_before: z.int().nullable().optional().meta({
          description:
            "Of a page that was asked for by `before`: the next one back; null at the beginning.",
        }),
      })
      .meta({ id: "LifecycleEventPage" }),
    errors: ["invalid_request", "sequence_ahead"],
    handler: readEvents,
  }),
  route({
    method: "GET",
    path: "/events/stream",
    scope: "events:read",
    summary:
      "The same feed as server-sent events; resumes behind Last-Event-ID, else where its consumer has committed",
    projection: "lifecycle",
    query: StreamQuery,
    response: undefined,
    contentType: "text/event-stream",
    status: 200,
    errors: ["invalid_request", "sequence_ahead", "rate_limited"],
    handler: async (call) => streamEvents(call, await startOf(call), filterOf(call.query)),
  }),
  route({
    method: "GET",
    path: "/event-types",
    scope: "events:read",
    summary: "The types of lifecycle events, each with its schema and an example",
    response: z.object({ data: z.array(EventType) }).meta({ id: "LifecycleEventTypes" }),
    errors: [],
    handler: ({ env }) => ({ status: 200, body: typesOf(env) }),
  }),
];
