import { type Answer, type Call, ListQuery, type Page, listBody, pageOf } from "@heliograph/api";
import { PublicError, isId, streamOf } from "@heliograph/contracts";
import { type ConversationMessage, type FoundConversation, partsOf } from "@heliograph/domain";
import { z } from "zod";
import { type Entry, entryOf } from "../entries.ts";
import { listHistory } from "../tables/conversations.ts";
import { listSends } from "../tables/sends.ts";
import { addressesOf } from "./addresses.ts";
import { findConversation } from "./find.ts";
import { showMessages } from "./show.ts";

export const HistoryQuery = ListQuery;
type HistoryCall = Call<undefined, z.infer<typeof HistoryQuery>>;

export const MessagesQuery = ListQuery.extend({
  newest: z.enum(["true", "false"]).optional().meta({
    description: "Whether to begin with the last page; `prev_cursor` leads back from it.",
  }),
}).refine(
  ({ newest, after, cursor, before }) =>
    newest !== "true" || (after ?? cursor ?? before) === undefined,
  "takes a cursor or newest, not both",
);
type MessagesCall = Call<undefined, z.infer<typeof MessagesQuery>>;

/** Behind every message that there is. */
const theEnd = String(Number.MAX_SAFE_INTEGER);

type Placed = { readonly key: string; readonly entry: Entry };
/** A revision in a form that sorts as text. */
const keyOf = ({ key }: { readonly key: string }): string => key;

/** The messages and notes of a conversation, oldest first, from its thread. */
export async function listMessages(call: MessagesCall): Promise<Answer> {
  const found = await findConversation(call);
  const list = `conversation ${found.conversation.id}`;
  const asked = pageOf(call, list);
  const page = call.query.newest === "true" ? { ...asked, before: theEnd } : asked;
  const rows = await readEntries(call, found, page);
  const shown = await showMessages(
    call,
    rows.map(({ entry }) => entry),
  );
  return {
    status: 200,
    body: listBody(call, list, page, withMessages(rows, shown), keyOf, ({ message }) => message),
  };
}

/** One row more than the page holds, at the end where more was looked for. */
async function readEntries(
  call: MessagesCall,
  { thread, conversation }: FoundConversation,
  { limit, after, before }: Page,
): Promise<readonly Placed[]> {
  const { firstRevision } = conversation;
  const backwards = before !== undefined;
  const from = backwards
    ? Math.min(Number(before) - 1, conversation.revision)
    : after === undefined
      ? firstRevision
      : Number(after) + 1;
  const rows: Placed[] = [];
  if (from < firstRevision) return rows;
  const stream = streamOf("thread", thread.name);
  for await (const event of call.deps.log.scanStream(stream, {
    from,
    backwards,
  })) {
    const { revision } = event;
    // Before and behind it are the thread's other conversations, as many as years bring.
    if (revision < firstRevision || revision > conversation.revision) break;
    if (rows.length > limit) break;
    if (event.data.conversation_id !== conversation.id) continue;
    const entry = entryOf(event, thread.channel);
    if (entry !== undefined) rows.push({ key: String(event.revision), entry });
  }
  return backwards ? rows.reverse() : rows;
}

function withMessages<Row extends { readonly entry: Entry }>(
  rows: readonly Row[],
  shown: readonly ConversationMessage[],
): readonly (Row & { readonly message: ConversationMessage })[] {
  const byId = new Map(shown.map((message) => [message.id, message]));
  return rows.flatMap((row) => {
    const message = byId.get(row.entry.id);
    return message === undefined ? [] : [{ ...row, message }];
  });
}

/** What was said with a contact and those that are part of it, over all channels and both directions, newest first. */
export async function listContactMessages(call: HistoryCall): Promise<Answer> {
  const id = call.params["id"]!;
  const { log, projectionPool } = call.deps;
  const [first] = isId("cnt", id)
    ? await log.readStream(streamOf("contact", id), { limit: 1 })
    : [];
  if (first?.metadata.partner !== call.partner.partner_id)
    throw new PublicError("not_found", "There is no such contact.");
  const list = `history ${id}`;
  const page = pageOf(call, list);
  // The list runs from new to old: what comes after a cursor lies before its position.
  const bounds = {
    partner: call.partner.partner_id,
    limit: page.limit + 1,
    ...(page.before !== undefined && { after: page.before }),
    ...(page.after !== undefined && { before: page.after }),
  };
  const contacts = await partsOf(log, id);
  const [said, sent] = await Promise.all([
    listHistory(projectionPool, { ...bounds, contacts }),
    listSends(projectionPool, { ...bounds, addresses: await addressesOf(call, contacts) }),
  ]);
  const placed = nearest(
    [
      ...said.map(({ position, body }) => ({ key: position, entry: JSON.parse(body) as Entry })),
      ...sent.map(({ position, id: sentId }) => ({
        key: position,
        // When it was asked for, its own stream tells.
        entry: { id: sentId, direction: "outbound", at: "" } as const,
      })),
    ],
    page,
  );
  const shown = await showMessages(
    call,
    placed.map(({ entry }) => entry),
  );
  return {
    status: 200,
    body: listBody(call, list, page, withMessages(placed, shown), keyOf, ({ message }) => message),
  };
}

/** The rows that a page is made of and one more where more was looked for, newest first. */
function nearest<Row extends { readonly key: string }>(
  rows: readonly Row[],
  { limit, before }: Page,
): readonly Row[] {
  const sorted = rows.toSorted((left, right) => Number(right.key) - Number(left.key));
  return before === undefined ? sorted.slice(0, limit + 1) : sorted.slice(-(limit + 1));
}
