import {
  type Answer,
  type Call,
  type Route,
  anotherName,
  givenOnce,
  listOf,
  openedFor,
  route,
} from "@heliograph/api";
import { PublicError } from "@heliograph/contracts";
import { Message, MessageSummary, messageDetail, readMessage } from "@heliograph/domain";
import { parsePosition } from "@heliograph/log";
import { z } from "zod";
import { MessagesQuery, listed } from "./messages-list.ts";

const position = z.string().max(20);
const OneQuery = z.strictObject({
  as_of: position.optional(),
  at: anotherName(position, "as_of"),
});

/** Reads a position of the query. Throws `invalid_request`. */
function positionOf(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  const found = parsePosition(text);
  if (found === undefined)
    throw new PublicError("invalid_request", "as_of is not a position.", {
      errors: [{ path: "as_of", code: "invalid_format", message: "must be a position" }],
    });
  return found;
}

async function one(call: Call<undefined, z.infer<typeof OneQuery>>): Promise<Answer> {
  const asOf = positionOf(givenOnce({ as_of: call.query.as_of, at: call.query.at }));
  const id = call.params["id"]!;
  const found = await readMessage(call.deps.log, call.partner.partner_id, id, asOf);
  if (found === undefined) throw new PublicError("not_found", "There is no such message.");
  return {
    status: 200,
    body: await openedFor(call, messageDetail(found.state, call.env)),
    headers: { "Projection-Lag": "0" },
  };
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
    scope: "messages:read",
    summary: "Get a message, now or as of an earlier position",
    response: Message,
    errors: ["not_found"],
    query: OneQuery,
    handler: one,
  }),
];
