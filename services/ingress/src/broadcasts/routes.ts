import {
  type Answer,
  type Call,
  type Route,
  appendOne,
  changeOnce,
  listBody,
  listOf,
  pageOf,
  route,
  tooManyChanges,
} from "@heliograph/api";
import { contactsSchema } from "@heliograph/contacts";
import { checkSaid, scheduleOf, templateRefOf } from "@heliograph/acceptance";
import { PublicError, isId, streamOf } from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import type { z } from "zod";
import { requireGateway } from "../messages/refusals.ts";
import { sendingOf } from "../messages/state.ts";
import {
  type BroadcastRow,
  type Counts,
  type RecipientRow,
  broadcastsSchema,
  countUnfinished,
  listBroadcasts,
  listRecipients,
  readCounts,
} from "../tables/broadcasts.ts";
import {
  type Broadcast,
  type Command,
  type Created,
  type Pause,
  broadcastNotFound,
  decideCommand,
  evolveBroadcast,
} from "./decide.ts";
import { examplesOf, newestVersion, templateOf } from "./personal.ts";
import { preview } from "./preview.ts";
import {
  BroadcastPreview,
  BroadcastView,
  BroadcastsQuery,
  CreateBroadcast,
  RecipientView,
  RecipientsQuery,
} from "./schema.ts";

/** More that have not ended are a loop, or drafts that nobody remembers. */
const mostUnfinished = 100;

/** All of it stands in one event, which has at most 1 MB. */
const maxDraftBytes = 512 * 1024;

type Shown = {
  readonly created: Created;
  readonly status: Broadcast["status"];
  readonly pause?: Pause | undefined;
  readonly startedAt?: string | null | undefined;
  readonly endedAt?: string | null | undefined;
};

const none: Counts = { audience: 0, accepted: 0, sent: 0, failed: 0, skipped: 0 };

function view({ created, status, pause, startedAt, endedAt }: Shown, counts: Counts = none) {
  const { audience, accepted, sent, failed, skipped } = counts;
  return {
    id: created.broadcast_id,
    name: created.name ?? null,
    status,
    paused_for: pause === undefined ? null : { code: pause.code, reason: pause.reason },
    audience: created.audience,
    ...created.send,
    send_at: created.send_at ?? null,
    per_second: created.per_second ?? null,
    // An older process left pages that it had not counted as they were, whatever came of them.
    counts: { audience, accepted: Math.max(accepted, sent + failed), sent, failed, skipped },
    created_at: created.created_at,
    started_at: startedAt ?? null,
    ended_at: endedAt ?? null,
  };
}

/** Refuses what nobody could be sent. */
async function checkSend(call: Call<unknown, unknown>, send: Created["send"]): Promise<void> {
  const { templates } = sendingOf(call);
  const template = await templateOf(templates, call.account, send);
  for (const said of examplesOf(send, template)) {
    const body = { ...said, to: "" };
    const ref = templateRefOf(body);
    const { channel } = send;
    checkSaid(body, ref && (await templates.get(call.account, channel, ref.slug, ref.version)));
  }
}

/** Drafts a broadcast. What every recipient's message would be refused for is refused here. */
async function create(call: Call<CreateBroadcast, unknown>): Promise<Answer> {
  const { name, audience, send_at, per_second, ...send } = call.body;
  const { directory } = call.context;
  requireGateway(
    directory.gateways(call.env, send.channel),
    send.channel,
    call.partner.partner_id,
    "",
  );
  await checkSend(call, send);
  const at = scheduleOf({ send_at }, call.now());
  const id = call.derivedId("brc");
  const stream = streamOf("broadcast", id);
  const partner = call.partner.partner_id;
  const [earlier] = await call.deps.log.readStream(stream, { limit: 1 });
  if (earlier === undefined && (await countUnfinished(call.deps.pool, partner)) >= mostUnfinished)
    throw new PublicError(
      "conflict",
      `${mostUnfinished} of your broadcasts have not ended: cancel those that you do not need.`,
    );
  const data: Created = {
    broadcast_id: id,
    ...(name !== undefined && { name }),
    audience,
    send,
    ...(at !== undefined && { send_at: formatTime(at) }),
    ...(per_second !== undefined && { per_second }),
    created_at: call.timestamp(),
  };
  const metadata = call.metadata({ correlation: id });
  const stored = await appendOne(call.deps.log, {
    stream,
    expected: "no_stream",
    events: [{ id: call.eventId("create"), type: "BroadcastCreated", data, metadata }],
  });
  if (stored === undefined) throw tooManyChanges();
  return { status: 201, body: view({ created: data, status: "draft" }), position: stored.position };
}

async function find(call: Call<unknown, unknown>): Promise<Broadcast> {
  const id = call.params["id"]!;
  let found: Broadcast | undefined;
  if (isId("brc", id))
    for await (const event of call.deps.log.scanStream(streamOf("broadcast", id)))
      found = evolveBroadcast(found, event);
  if (found?.partner !== call.partner.partner_id) throw broadcastNotFound();
  return found;
}

const shown = async (call: Call<unknown, unknown>, found: Broadcast): Promise<object> =>
  view(found, await readCounts(call.deps.projectionPool, found.created.broadcast_id));

/** What goes on from now keeps to the newest version of its template. */
async function withVersion(call: Call<undefined, unknown>, asked: Command): Promise<Command> {
  if (asked.name !== "start" && asked.name !== "resume") return asked;
  const { send } = (await find(call)).created;
  const { templates } = sendingOf(call);
  return { ...asked, templateVersion: await newestVersion(templates, call.account, send) };
}

async function command(call: Call<undefined, unknown>, asked: Command): Promise<Answer> {
  const id = call.params["id"]!;
  if (!isId("brc", id)) throw broadcastNotFound();
  const at = call.timestamp();
  const decided = await withVersion(call, asked);
  const { state, position } = await changeOnce<Broadcast>(call, {
    stream: streamOf("broadcast", id),
    name: `${asked.name} ${id}`,
    correlation: id,
    evolve: evolveBroadcast,
    decide: (found) => decideCommand(found, call.partner.partner_id, decided, at),
  });
  return { status: 200, body: await shown(call, state!), position };
}

async function list(call: Call<undefined, z.infer<typeof BroadcastsQuery>>): Promise<Answer> {
  const { status } = call.query;
  const name = `broadcasts ${status ?? ""}`;
  const page = pageOf(call, name);
  // The list runs from new to old: what comes after a cursor lies before its position.
  const rows = await listBroadcasts(call.deps.projectionPool, {
    partner: call.partner.partner_id,
    limit: page.limit + 1,
    status,
    before: page.after,
    after: page.before,
  });
  const show = ({ started_at, ended_at, created, ...row }: BroadcastRow): object =>
    view({ ...row, created: created!, startedAt: started_at, endedAt: ended_at }, row);
  const whole = rows.filter(({ created }) => created !== undefined);
  const shown = { ...page, limit: Math.min(page.limit, whole.length) };
  return { status: 200, body: listBody(call, name, shown, rows, (row) => row.position, show) };
}

const recipientView = ({ number: _, message_id, ...row }: RecipientRow): object => ({
  ...row,
  message_id: row.status === "accepted" ? message_id : null,
});

async function recipients(call: Call<undefined, z.infer<typeof RecipientsQuery>>): Promise<Answer> {
  const { created } = await find(call);
  const { status } = call.query;
  const name = `recipients ${created.broadcast_id} ${status ?? ""}`;
  const page = pageOf(call, name);
  const rows = await listRecipients(call.deps.projectionPool, {
    broadcast: created.broadcast_id,
    limit: page.limit + 1,
    status,
    after: page.after,
    before: page.before,
  });
  return {
    status: 200,
    body: listBody(call, name, page, rows, (row) => row.number, recipientView),
  };
}

const changeErrors = [
  "conflict",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "log_unavailable",
] as const;

const commandRoute = (asked: Command, summary: string): Route =>
  route({
    method: "POST",
    path: `/broadcasts/:id/${asked.name}`,
    scope: "broadcasts:write",
    summary,
    mutates: true,
    response: BroadcastView,
    errors: ["not_found", ...changeErrors],
    handler: (call) => command(call, asked),
  });

export const broadcastRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/broadcasts",
    scope: "broadcasts:write",
    summary: "Draft a message to many contacts",
    mutates: true,
    status: 201,
    maxBodyBytes: maxDraftBytes,
    body: CreateBroadcast,
    response: BroadcastView,
    errors: [
      "invalid_request",
      "malformed_json",
      "body_too_large",
      "template_not_found",
      "template_variables_invalid",
      "channel_not_enabled",
      ...changeErrors,
    ],
    handler: create,
  }),
  route({
    method: "GET",
    path: "/broadcasts",
    scope: "broadcasts:read",
    summary: "List broadcasts, newest first",
    projection: broadcastsSchema,
    query: BroadcastsQuery,
    response: listOf(BroadcastView, "BroadcastList"),
    errors: ["invalid_request"],
    handler: list,
  }),
  route({
    method: "GET",
    path: "/broadcasts/:id",
    scope: "broadcasts:read",
    summary: "Get how far a broadcast is",
    etag: true,
    projection: broadcastsSchema,
    response: BroadcastView,
    errors: ["not_found"],
    handler: async (call) => ({ status: 200, body: await shown(call, await find(call)) }),
  }),
  route({
    method: "GET",
    path: "/broadcasts/:id/recipients",
    scope: "broadcasts:read",
    summary: "List whom a broadcast is for, and why some were skipped",
    projection: broadcastsSchema,
    query: RecipientsQuery,
    response: listOf(RecipientView, "BroadcastRecipientList"),
    errors: ["not_found", "invalid_request"],
    handler: recipients,
  }),
  route({
    method: "POST",
    path: "/broadcasts/:id/preview",
    scope: "broadcasts:read",
    summary: "What a broadcast would come to now: who is skipped and why, segments and cost",
    projection: contactsSchema,
    response: BroadcastPreview,
    errors: [
      "not_found",
      "template_not_found",
      "template_variables_invalid",
      "channel_not_enabled",
      "no_price",
      "invalid_request",
    ],
    handler: async (call) => ({ status: 200, body: await preview(call, await find(call)) }),
  }),
  commandRoute(
    { name: "start" },
    "Start a broadcast: its audience are the contacts of this moment",
  ),
  commandRoute(
    { name: "pause", code: "requested", reason: "Somebody asked for it." },
    "Pause a broadcast: after at most a hundred more messages it sends none",
  ),
  commandRoute({ name: "resume" }, "Go on with a paused broadcast where it was"),
  commandRoute({ name: "cancel" }, "End a broadcast: what is not accepted yet is never sent"),
];
