import {
  type Answer,
  AsOf,
  type Call,
  type Route,
  anotherName,
  explainedOr,
  explainField,
  ExplainQuery,
  FieldExplanation,
  givenOnce,
  listOf,
  lookBack,
  openedFor,
  route,
} from "@heliograph/api";
import { PublicError } from "@heliograph/contracts";
import {
  evolveMessage,
  Message,
  MessageSummary,
  messageDetail,
  readMessage,
} from "@heliograph/domain";
import { z } from "zod";
import { MessagesQuery, listed } from "./messages-list.ts";

const OneQuery = z.strictObject({
  as_of: AsOf,
  at: anotherName(AsOf.unwrap(), "as_of"),
});

async function one(call: Call<undefined, z.infer<typeof OneQuery>>): Promise<Answer> {
  const asOf = givenOnce({ as_of: call.query.as_of, at: call.query.at });
  if (asOf !== undefined) await lookBack(call, asOf);
  const found = await readMessage(call.deps.log, call.partner.partner_id, call.params["id"]!);
  if (found === undefined) throw new PublicError("not_found", "There is no such message.");
  return {
    status: 200,
    body: await openedFor(call, messageDetail(found.state, call.env)),
  };
}

/** Folded as the message is shown, event by event. */
async function explain(call: Call<undefined, z.infer<typeof ExplainQuery>>): Promise<Answer> {
  const { deps, env, partner, params } = call;
  const id = params["id"]!;
  const found = await readMessage(deps.log, partner.partner_id, id);
  const fields = Object.keys(Message.shape);
  const explained = await explainField(id, call.query.field, fields, {
    events: found?.events ?? [],
    evolve: evolveMessage,
    show: (state) => messageDetail(state, env),
  });
  const body = await openedFor(call, explainedOr(explained, "message"));
  return { status: 200, body };
}

export const messageReadRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/messages",
    scope: "messages:read",
    summary: "List messages, newest first",
    projection: "messages",
    query: MessagesQuery,
    errors: ["invalid_request"],
    response: listOf(MessageSummary, "MessageList"),
    handler: listed,
  }),
  route({
    method: "GET",
    path: "/messages/:id",
    folded: true,
    scope: "messages:read",
    summary: "Get a message, now or as of an earlier position or time",
    etag: true,
    response: Message,
    errors: ["not_found", "invalid_request"],
    query: OneQuery,
    handler: one,
  }),
  route({
    method: "GET",
    path: "/messages/:id/explain",
    folded: true,
    scope: "messages:read",
    summary:
      "Which events a field of a message comes from, now or as of an earlier position or time",
    asOf: true,
    query: ExplainQuery,
    response: FieldExplanation,
    errors: ["not_found", "invalid_request"],
    handler: explain,
  }),
];
