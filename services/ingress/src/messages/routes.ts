import { storedRecipient } from "@heliograph/channels";
import { type Channel, PublicError, channels, failpoint } from "@heliograph/contracts";
import { messageDetail, statuses } from "@heliograph/domain";
import { decodeCursor, encodeCursor, parseIdempotencyKey } from "@heliograph/api";
import { listMessages, maxPageSize, type MessageFilter } from "@heliograph/read-models";
import { z } from "zod";
import { sendingOf } from "./state.ts";
import type { Call } from "@heliograph/api";
import { cancelMessage } from "./cancel.ts";
import { asOfPosition, readMessage, readTimeline } from "./read.ts";
import { TimeInput, listOf, listed, queryInt, timeOf } from "@heliograph/api";
import {
  AcceptedMessage,
  BatchAnswer,
  BatchItem,
  Message,
  MessageSummary,
  SendBatch,
  SendMessage,
  SendQuery,
  Timeline,
  acceptsBatch,
  acceptsItem,
  acceptsSend,
} from "./schema.ts";
import type { Item, Settled } from "./sending.ts";
import { type Answer, type Route, route } from "@heliograph/api";
import { notValid, unknownField, validate, waitSeconds } from "@heliograph/api";

const maxWaitSeconds = 30;
/** A thousand messages of some 5 KB. Parsing it holds the process for some 50 ms. */
const maxBatchBytes = 5 * 1024 * 1024;

async function sendOne(call: Call<SendMessage, z.infer<typeof SendQuery>>): Promise<Answer> {
  const sending = sendingOf(call);
  if (call.query.dry_run === "true")
    return { status: 202, body: await sending.dryRun(call, call.body) };
  const keyParts = call.idempotencyKey === undefined ? undefined : [call.idempotencyKey];
  const id = sending.messageId(call.partner.partner_id, keyParts);
  const seconds = waitSeconds(call.request.headers["prefer"]?.toString(), maxWaitSeconds);
  const outcome = seconds > 0 ? sending.outcomes.expect(id) : undefined;
  try {
    const [settled] = await sending.send(call, [{ body: call.body, keyParts }], [id]);
    if (settled!.kind === "refused") throw settled!.error;
    const { body, position, replayed } = settled!.sent;
    await failpoint("ingress.before_answer");
    if (replayed)
      return { status: 202, body, position, headers: { "Idempotent-Replayed": "true" } };
    if (outcome !== undefined && (await outcome.wait(seconds * 1000, call.signal))) {
      const { state } = await readMessage(call.deps, call.partner.partner_id, id);
      return {
        status: 200,
        body: messageDetail(state, call.env),
        position: state.position,
        headers: { "Preference-Applied": "wait" },
      };
    }
    return { status: 202, body, position };
  } finally {
    outcome?.cancel();
  }
}

/** One item of a batch, or its refusal. Without a key of its own it has one by the batch's key and its place. */
function batchItem(call: Call, raw: unknown, index: number): Item | PublicError {
  try {
    const value = acceptsItem(raw)
      ? (raw as z.infer<typeof BatchItem>)
      : validate(BatchItem, raw, "body");
    const { idempotency_key: own, ...body } = value;
    const keyParts =
      own !== undefined
        ? [parseIdempotencyKey(own)]
        : call.idempotencyKey === undefined
          ? undefined
          : [call.idempotencyKey, "item", String(index)];
    return { body, keyParts };
  } catch (error) {
    if (error instanceof PublicError) return error;
    throw error;
  }
}

async function sendBatch(call: Call<z.infer<typeof SendBatch>, unknown>): Promise<Answer> {
  const sending = sendingOf(call);
  call.charge(call.body.messages.length - 1);
  const items = call.body.messages.map((raw, index) => batchItem(call, raw, index));
  const valid = items.filter((item): item is Item => !(item instanceof PublicError));
  const ids = valid.map((item) => sending.messageId(call.partner.partner_id, item.keyParts));
  const settled = (await sending.send(call, valid, ids)).values();
  await failpoint("ingress.before_answer");
  let accepted = 0;
  let replayed = 0;
  let position: bigint | undefined;
  const data = items.map((item, index) => {
    const result: Settled =
      item instanceof PublicError ? { kind: "refused", error: item } : settled.next().value!;
    if (result.kind === "refused")
      return {
        index,
        status_code: result.error.status,
        error: call.problem(result.error),
      };
    accepted++;
    if (result.sent.replayed) replayed++;
    if (position === undefined || result.sent.position > position) position = result.sent.position;
    return {
      index,
      status_code: 202,
      message: result.sent.body,
      // Under the batch's key the answer must be the first one again, byte for byte: there the header says it.
      ...(result.sent.replayed && call.idempotencyKey === undefined && { replayed: true }),
    };
  });
  return {
    status: 207,
    body: { data, accepted, refused: items.length - accepted },
    position,
    ...(call.idempotencyKey !== undefined &&
      accepted > 0 &&
      replayed === accepted && { headers: { "Idempotent-Replayed": "true" } }),
  };
}

const text = z.string().max(512);
const ListQuery = z
  .strictObject({
    limit: queryInt(1, maxPageSize).optional(),
    after: text.optional(),
    before: text.optional(),
    status: listed(statuses).optional().meta({
      description: "One or more, separated by commas.",
      example: "sent,delivered",
    }),
    channel: z.enum(channels).optional(),
    to: text.optional(),
    tag: z.string().max(64).optional(),
    created_from: TimeInput.optional().meta({ description: "Inclusive." }),
    created_before: TimeInput.optional().meta({ description: "Exclusive." }),
  })
  .catchall(z.string().max(255))
  .meta({ description: "`metadata[key]=value` filters by metadata." });

function filterOf(query: z.infer<typeof ListQuery>): MessageFilter {
  // Without a prototype: `__proto__` is a name like any other here.
  const metadata = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(query)) {
    if (Object.hasOwn(ListQuery.shape, name)) continue;
    const key = /^metadata(?:\[([\w.-]{1,64})\]|\.([\w.-]{1,64}))$/.exec(name);
    if (key === null) throw notValid("query", [unknownField(name)]);
    metadata[(key[1] ?? key[2])!] = String(value);
  }
  return {
    status: query.status,
    channel: query.channel,
    to: query.to === undefined ? undefined : storedTo(query.to, query.channel),
    tag: query.tag,
    metadata: Object.keys(metadata).length > 0 ? metadata : undefined,
    createdFrom: timeOf(query.created_from),
    createdBefore: timeOf(query.created_before),
  };
}

/** The filter is read as the `to` of a send is: any spelling finds what was sent to. Throws `invalid_request`. */
function storedTo(text: string, channel: Channel | undefined): string {
  const stored = storedRecipient(text, channel);
  if (stored === undefined)
    throw new PublicError("invalid_request", "The query is not valid: to is no address.", {
      errors: [
        {
          path: "to",
          code: "invalid_format",
          message: "must be a phone number in E.164 form or an e-mail address, URL-encoded",
        },
      ],
    });
  return stored;
}

async function list(call: Call<undefined, z.infer<typeof ListQuery>>): Promise<Answer> {
  const partner = call.partner.partner_id;
  const scope = `messages ${call.env} ${partner}`;
  const secret = call.context.masterKey;
  const cursor = (given: string | undefined, path: string): string | undefined =>
    given === undefined ? undefined : String(decodeCursor(secret, scope, given, path));
  const page = await listMessages(call.deps.projectionPool, call.deps.log, call.env, {
    partner,
    limit: call.query.limit ?? 25,
    after: cursor(call.query.after, "after"),
    before: cursor(call.query.before, "before"),
    filter: filterOf(call.query),
  });
  if (page === undefined)
    throw new PublicError("invalid_request", "The cursor is not one of this list.");
  const seal = (value: string | null): string | null =>
    value === null ? null : encodeCursor(secret, scope, value);
  return {
    status: 200,
    body: {
      data: page.data,
      next_cursor: seal(page.next_cursor),
      prev_cursor: seal(page.prev_cursor),
    },
  };
}

const sendErrors = [
  "invalid_request",
  "malformed_json",
  "body_too_large",
  "unsupported_media_type",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "insufficient_funds",
  "recipient_suppressed",
  "template_not_found",
  "template_variables_invalid",
  "channel_not_enabled",
  "feature_not_available",
  "log_unavailable",
] as const;

export const messageRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/messages",
    scope: "messages:write",
    summary: "Send a message",
    mutates: true,
    idempotency: "stream",
    audit: false,
    status: 202,
    body: SendMessage,
    query: SendQuery,
    accepts: acceptsSend,
    response: AcceptedMessage,
    also: {
      200: { description: "With `Prefer: wait=N`: what became of it.", response: Message },
    },
    prefer: "`wait=N` answers when the message was sent or failed, at most N (30) seconds later.",
    errors: sendErrors,
    handler: sendOne,
  }),
  route({
    method: "POST",
    path: "/messages/batch",
    scope: "messages:write",
    summary: "Send up to 1,000 messages, each with its own result",
    mutates: true,
    idempotency: "stream",
    audit: false,
    status: 207,
    body: SendBatch,
    accepts: acceptsBatch,
    maxBodyBytes: maxBatchBytes,
    response: BatchAnswer,
    errors: [
      "invalid_request",
      "malformed_json",
      "body_too_large",
      "unsupported_media_type",
      "log_unavailable",
    ],
    handler: sendBatch,
  }),
  route({
    method: "GET",
    path: "/messages",
    scope: "messages:read",
    summary: "List messages, newest first",
    projection: "messages",
    query: ListQuery,
    errors: ["invalid_request"],
    response: listOf(MessageSummary, "MessageList"),
    handler: list,
  }),
  route({
    method: "GET",
    path: "/messages/:id",
    scope: "messages:read",
    summary: "Get a message, now or as of an earlier position",
    response: Message,
    errors: ["not_found", "invalid_request"],
    query: z.strictObject({ as_of: z.string().max(20).optional() }),
    handler: async (call) => {
      const { state } = await readMessage(
        call.deps,
        call.partner.partner_id,
        call.params["id"]!,
        asOfPosition(call.query.as_of),
      );
      return {
        status: 200,
        body: messageDetail(state, call.env),
        headers: { "Projection-Lag": "0" },
      };
    },
  }),
  route({
    method: "GET",
    path: "/messages/:id/timeline",
    scope: "messages:read",
    summary: "Every event of a message, oldest first",
    response: Timeline,
    errors: ["not_found"],
    handler: async (call) => ({
      status: 200,
      body: await readTimeline(call.deps, call.env, call.partner.partner_id, call.params["id"]!),
      headers: { "Projection-Lag": "0" },
    }),
  }),
  route({
    method: "POST",
    path: "/messages/:id/cancel",
    scope: "messages:write",
    summary: "Cancel a message that is still scheduled",
    mutates: true,
    response: Message,
    errors: [
      "not_found",
      "conflict",
      "log_unavailable",
      "idempotency_in_progress",
      "idempotency_key_reused",
    ],
    handler: (call) => cancelMessage(call, call.params["id"]!),
  }),
];
