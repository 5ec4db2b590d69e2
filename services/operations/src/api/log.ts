import {
  type Answer,
  type Call,
  notValid,
  queryInt,
  requireReach,
  type Route,
  route,
} from "@heliograph/api";
import {
  environments,
  eventDefinitions,
  eventPublicId,
  masked,
  PublicError,
  shownBySchema,
  streamCategories,
} from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import { type EventLog, formatPosition, parsePosition, type RecordedEvent } from "@heliograph/log";
import { z } from "zod";
import { readLog } from "../read-log.ts";

/** Events may be half a MB each. */
const maxEvents = 100;
const defaultEvents = 25;
/** What is longer, as a price list of all countries, is left out. */
const maxBytes = 16_384;
const everything = 999_999_999_999_999_999n;

const Position = z
  .string()
  .max(20)
  .refine((text) => parsePosition(text) !== undefined, "must be a position")
  .optional();
const Log = z.enum([...environments, "platform"]);

const LogQuery = z.strictObject({
  environment: Log.optional().meta({
    description:
      "Whose log: of an environment, or the platform's own, which has partners, keys and settings. Default: that of the key.",
  }),
  stream: z
    .string()
    .max(200)
    .optional()
    .meta({ description: "One stream.", example: "message-01HNQX2P8Y9R3T4V5W6Z7A8B9C" }),
  category: z.enum(streamCategories).optional().meta({ description: "All streams of a kind." }),
  after: Position.meta({
    description: "A position: events behind it, oldest first. Default: from the start.",
  }),
  before: Position.meta({
    description:
      "A position: the last events before it. What is larger than any position gives the newest.",
  }),
  as_of: Position.meta({ description: "A position: the log as it ended there." }),
  limit: queryInt(1, maxEvents).optional(),
});

const position = z.string().meta({ example: "0000000000012345" });
const LogEvent = z
  .object({
    position,
    id: z.string().meta({ example: "evt_01HNQX2P8Y9R3T4V5W6Z7A8B9C" }),
    stream: z.string().meta({
      description: "A category, a dash and a name.",
      example: "message-01HNQX2P8Y9R3T4V5W6Z7A8B9C",
    }),
    revision: z.int().meta({ description: "Place in its stream, from 0." }),
    type: z.string().meta({ example: "MessageSent" }),
    version: z.int().meta({ description: "Of the schema; 0: the record cannot be read." }),
    recorded_at: z.string().meta({ description: "RFC 3339, UTC, by the log's clock." }),
    metadata: z
      .record(z.string(), z.string())
      .meta({ description: "Who did it, for whom, and what it follows from." }),
    data: z.record(z.string(), z.unknown()).meta({
      description:
        "Numbers, choices, ids, times, amounts and what its schema says is plain. Everything else may hold a secret, or something of a person, and reads `[masked]`.",
    }),
  })
  .meta({ id: "LogEvent" });

const LogView = z
  .object({
    environment: Log,
    data: z.array(LogEvent).meta({ description: "By position, oldest first." }),
    head: position.meta({ description: "The last position there is." }),
    as_of: position.nullable(),
    next_after: position.nullable().meta({ description: "`after` of the page that follows." }),
    prev_before: position.nullable().meta({ description: "`before` of the page that precedes." }),
  })
  .meta({ id: "LogPage" });

const schemas = new Map(
  eventDefinitions.map((each) => [`${each.type}.${each.version}`, each.schema]),
);
const shownMetadata = ["partner", "actor", "request_id", "causation", "correlation", "at"];

/** As anybody who may look at settings may see it, whoever's it is. */
function eventView({ metadata, data, ...event }: RecordedEvent): object {
  const { stream, revision, type, version } = event;
  const shown = shownBySchema(schemas.get(`${type}.${version}`), data);
  const tooLong = JSON.stringify(shown).length > maxBytes;
  return {
    position: formatPosition(event.position),
    id: eventPublicId(event.id),
    stream,
    revision,
    type,
    version,
    recorded_at: formatTime(event.recordedAt),
    metadata: Object.fromEntries(
      shownMetadata.flatMap((name) => {
        const value = metadata[name];
        return typeof value === "string" ? [[name, value]] : [];
      }),
    ),
    data: shown === masked || tooLong ? { all: masked } : shown,
  };
}

type LogQuery = z.infer<typeof LogQuery>;

/** The platform's log tells of live as well: a sandbox key does not reach it. */
function logOf(call: Call<unknown, unknown>, name: z.infer<typeof Log>): EventLog {
  requireReach(call, name === "platform" ? "live" : name);
  const { platformLog, environments: all } = call.context;
  return (name === "platform" ? platformLog : all[name].log).forPartner(call.partner.partner_id);
}

async function show(call: Call<undefined, LogQuery>): Promise<Answer> {
  const { environment = call.env, stream, category, limit = defaultEvents } = call.query;
  const log = logOf(call, environment);
  for (const [path, other] of [
    ["category", "stream"],
    ["before", "after"],
  ] as const)
    if (call.query[path] !== undefined && call.query[other] !== undefined)
      throw notValid("query", [
        { path, code: "conflict", message: `cannot be given together with ${other}` },
      ]);
  const at = (text: string | undefined): bigint | undefined =>
    text === undefined ? undefined : parsePosition(text);
  const [before, asOf] = [at(call.query.before), at(call.query.as_of)];
  const found = await readLog(log, {
    stream,
    category,
    limit,
    asOf: asOf ?? everything,
    ...(before === undefined ? { after: at(call.query.after) ?? 0n } : { before }),
  });
  if (stream !== undefined && found.events.length === 0 && !(await isThere(log, stream)))
    throw new PublicError("not_found", `There is no such stream in ${environment}.`);
  const written = (place: bigint | undefined): string | null =>
    place === undefined ? null : formatPosition(place);
  return {
    status: 200,
    body: {
      environment,
      data: found.events.map(eventView),
      head: formatPosition(await log.head()),
      as_of: written(asOf),
      next_after: written(found.next),
      prev_before: written(found.previous),
    },
  };
}

const isThere = async (log: EventLog, stream: string): Promise<boolean> =>
  (await log.readStream(stream, { limit: 1 })).length > 0;

export const logRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/admin/log",
    scope: "admin",
    summary: "Read the log itself: everything, a stream or a category, now or as of a position",
    query: LogQuery,
    response: LogView,
    errors: ["invalid_request", "not_found", "log_unavailable"],
    handler: show,
  }),
];
