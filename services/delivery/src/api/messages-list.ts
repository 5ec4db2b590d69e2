import {
  type Answer,
  type Call,
  ListQuery,
  TimeInput,
  decodeCursor,
  encodeCursor,
  givenOnce,
  listed as listedIn,
  notValid,
  openedFor,
  timeOf,
  unknownField,
} from "@heliograph/api";
import { addressSubject, keyPlace } from "@heliograph/acceptance";
import { storedRecipient } from "@heliograph/channels";
import { type Channel, PublicError, channels } from "@heliograph/contracts";
import { statuses } from "@heliograph/domain";
import { z } from "zod";
import { type MessageFilter, listMessages } from "../tables/messages.ts";

const defaultPageSize = 25;

export const MessagesQuery = ListQuery.extend({
  status: listedIn(statuses).optional().meta({
    description: "One or more, separated by commas.",
    example: "sent,delivered",
  }),
  channel: z.enum(channels).optional(),
  to: z.string().max(512).optional(),
  tag: z.string().max(64).optional(),
  client_ref: z.string().max(255).optional(),
  created_from: TimeInput.optional().meta({ description: "Inclusive." }),
  created_before: TimeInput.optional().meta({ description: "Exclusive." }),
})
  .catchall(z.string().max(255))
  .meta({ description: "`metadata[key]=value` filters by metadata." });
type MessagesQuery = z.infer<typeof MessagesQuery>;

async function filterOf(call: Call<undefined, MessagesQuery>): Promise<MessageFilter> {
  const { query } = call;
  // Without a prototype: `__proto__` is a name like any other here.
  const metadata = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(query)) {
    if (Object.hasOwn(MessagesQuery.shape, name)) continue;
    const key = /^metadata(?:\[([\w.-]{1,64})\]|\.([\w.-]{1,64}))$/.exec(name);
    if (key === null) throw notValid("query", [unknownField(name)]);
    metadata[(key[1] ?? key[2])!] = String(value);
  }
  return {
    status: query.status,
    channel: query.channel,
    to: query.to === undefined ? undefined : await placesOf(call, query.to),
    tag: query.tag,
    clientRef: query.client_ref,
    metadata: Object.keys(metadata).length > 0 ? metadata : undefined,
    createdFrom: timeOf(query.created_from),
    createdBefore: timeOf(query.created_before),
  };
}

/** Where messages to an address stand in the index: by the address, and by the keys that it is sealed under. */
async function placesOf(
  { deps, partner, query }: Call<undefined, MessagesQuery>,
  text: string,
): Promise<readonly string[]> {
  const to = storedTo(text, query.channel);
  const { partner_id: id } = partner;
  const subjects = (query.channel === undefined ? channels : [query.channel]).map((channel) =>
    addressSubject(deps.vault, id, channel, to),
  );
  return [to, ...(await deps.vault.keysOf(id, subjects)).map(keyPlace)];
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

/** A page of the partner's messages. */
export async function listed(call: Call<undefined, MessagesQuery>): Promise<Answer> {
  const partner = call.partner.partner_id;
  const scope = `messages ${call.env} ${partner}`;
  const secret = call.context.masterKey;
  const cursor = (given: string | undefined, path: string): string | undefined =>
    given === undefined ? undefined : String(decodeCursor(secret, scope, given, path));
  const page = await listMessages(call.deps.projectionPool, call.deps.log, call.env, {
    partner,
    limit: call.query.limit ?? defaultPageSize,
    after: cursor(givenOnce({ after: call.query.after, cursor: call.query.cursor }), "after"),
    before: cursor(call.query.before, "before"),
    filter: await filterOf(call),
  });
  if (page === undefined)
    throw new PublicError("invalid_request", "The cursor is not one of this list.");
  const seal = (value: string | null): string | null =>
    value === null ? null : encodeCursor(secret, scope, value);
  const next = seal(page.next_cursor);
  return {
    status: 200,
    body: {
      data: await openedFor(call, page.data),
      next_cursor: next,
      next_after: next,
      prev_cursor: seal(page.prev_cursor),
    },
  };
}
