import { PublicError, failpoint, streamOf } from "@heliograph/contracts";
import { Message } from "@heliograph/domain";
import {
  inProgress,
  parseIdempotencyKey,
  refusalsOfKeys,
  type Call,
  type Answer,
  type Route,
  replayedHeader,
  route,
  validate,
} from "@heliograph/api";
import type { z } from "zod";
import { sendingOf } from "./state.ts";
import { cancelMessage } from "./cancel.ts";
import { readTimeline } from "./timeline.ts";
import {
  AcceptedMessage,
  BatchAnswer,
  BatchItem,
  SendBatch,
  SendMessage,
  SendQuery,
  Timeline,
  acceptsBatch,
  acceptsItem,
  acceptsSend,
} from "./schema.ts";
import type { Item, Settled } from "./item.ts";
import { answerSend, prefer } from "./waiting.ts";

/** A thousand messages of some 5 KB. Parsing it holds the process for some 50 ms. */
const maxBatchBytes = 5 * 1024 * 1024;

/** Refuses what has a key that another kind of call has. That of the batch itself is no other. */
async function withRefusals(
  call: Call<unknown, unknown>,
  items: readonly Item[],
  batchKey?: string,
): Promise<readonly Item[]> {
  const ownKey = ({ keyParts }: Item): string[] =>
    keyParts?.length === 1 && keyParts[0] !== batchKey ? [keyParts[0]!] : [];
  const refusals = await refusalsOfKeys(call, items.flatMap(ownKey));
  if (refusals.size === 0) return items;
  return items.map((item) => {
    const refusal = ownKey(item).map((key) => refusals.get(key))[0];
    return refusal === undefined ? item : { ...item, refusal };
  });
}

async function sendOne(call: Call<SendMessage, z.infer<typeof SendQuery>>): Promise<Answer> {
  const sending = sendingOf(call);
  if (call.query.dry_run === "true")
    return { status: 202, body: await sending.dryRun(call, call.body) };
  const keyParts = call.idempotencyKey === undefined ? undefined : [call.idempotencyKey];
  const id = sending.messageId(call.partner.partner_id, keyParts);
  return answerSend(call, id, async () => {
    const [item] = await withRefusals(call, [{ body: call.body, keyParts }]);
    const [settled] = await sending.send(call, [item!], [id]);
    if (settled!.kind === "refused") throw settled!.error;
    await failpoint("ingress.before_answer");
    return settled!.sent;
  });
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
        ? [parseIdempotencyKey(own, "idempotency_key")]
        : call.idempotencyKey === undefined
          ? undefined
          : [call.idempotencyKey, "item", String(index)];
    return { body, keyParts };
  } catch (error) {
    if (error instanceof PublicError) return error;
    throw error;
  }
}

const hasBatchKey = ({ keyParts }: Item): boolean => keyParts?.[1] === "item";
/** Whoever reads as refused what is about to be accepted sends it again: the whole batch is to be asked for later. */
const isStillRunning = (result: Settled): boolean =>
  result.kind === "refused" && result.error.code === "idempotency_in_progress";

type BatchCall = Call<z.infer<typeof SendBatch>, unknown>;
const itemsOf = (call: BatchCall): readonly (Item | PublicError)[] =>
  call.body.messages.map((raw, index) => batchItem(call, raw, index));

/** A batch that is looked for before it is sent pays for its items once. */
const charged = new WeakSet<BatchCall>();
async function chargeItems(call: BatchCall): Promise<void> {
  if (charged.has(call)) return;
  charged.add(call);
  await call.limits!.charge(call.body.messages.length - 1);
}

/** Whether any of its items is there by the batch's key, which one of them may have as its own. That there is one by a key of its own says nothing: any other call may have made it. */
async function repeatsBatch(call: BatchCall): Promise<boolean> {
  await chargeItems(call);
  const sending = sendingOf(call);
  const ids = itemsOf(call).flatMap((item) =>
    item instanceof PublicError || item.keyParts?.[0] !== call.idempotencyKey
      ? []
      : sending.messageId(call.partner.partner_id, item.keyParts),
  );
  const streams = ids.map((id) => streamOf("message", id));
  const found = await call.deps.log.readStreams(streams, { limit: 1 });
  return [...found.values()].some(({ length }) => length > 0);
}

async function sendBatch(call: BatchCall): Promise<Answer> {
  const sending = sendingOf(call);
  await chargeItems(call);
  const items = itemsOf(call);
  const valid = items.filter((item): item is Item => !(item instanceof PublicError));
  const ids = valid.map((item) => sending.messageId(call.partner.partner_id, item.keyParts));
  const results = await sending.send(
    call,
    await withRefusals(call, valid, call.idempotencyKey),
    ids,
  );
  await failpoint("ingress.before_answer");
  if (results.some((result, at) => hasBatchKey(valid[at]!) && isStillRunning(result)))
    throw inProgress();
  const settled = results.values();
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
    claimsNoKey: accepted === 0,
    // What was refused is tried again, and its refusal is another one.
    ...(call.idempotencyKey !== undefined &&
      accepted > 0 &&
      replayed === items.length && { headers: replayedHeader }),
  };
}

export const sendErrors = [
  "invalid_request",
  "malformed_json",
  "body_too_large",
  "unsupported_media_type",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "insufficient_funds",
  "recipient_suppressed",
  "country_not_allowed",
  "sender_not_allowed",
  "contact_erased",
  "template_not_found",
  "template_variables_invalid",
  "channel_not_enabled",
  "log_unavailable",
] as const;

export const messageRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/messages",
    scope: "messages:write",
    summary: "Send a message",
    mutates: true,
    idempotency: "message",
    audit: false,
    status: 202,
    body: SendMessage,
    query: SendQuery,
    accepts: acceptsSend,
    response: AcceptedMessage,
    also: {
      200: { description: "With `Prefer: wait=N`: what became of it.", response: Message },
    },
    prefer,
    errors: sendErrors,
    handler: sendOne,
  }),
  route({
    method: "POST",
    path: "/messages/batch",
    scope: "messages:write",
    summary: "Send up to 1,000 messages, each with its own result",
    mutates: true,
    idempotency: "items",
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
      "idempotency_in_progress",
      "log_unavailable",
    ],
    repeats: repeatsBatch,
    handler: sendBatch,
  }),
  route({
    method: "GET",
    path: "/messages/:id/timeline",
    folded: true,
    scope: "messages:read",
    summary: "Every event of a message, oldest first",
    response: Timeline,
    errors: ["not_found"],
    handler: async (call) => ({
      status: 200,
      body: await readTimeline(
        call.deps,
        call.env,
        call.partner.partner_id,
        call.params["id"]!,
        call.signal,
      ),
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
