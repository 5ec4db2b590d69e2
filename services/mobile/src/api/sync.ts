import { hash } from "node:crypto";
import {
  type Answer,
  type Call,
  type Route,
  etagOf,
  originOf,
  withLinks,
  queryInt,
  route,
  stillAllowed,
  whileAllowed,
} from "@heliograph/api";
import { PublicError } from "@heliograph/contracts";
import { Conversation, ConversationMessage } from "@heliograph/domain";
import { z } from "zod";
import { beginSync, findChanges, showChanges, type SyncPage } from "../sync/read.ts";
import { inTurn } from "../sync/turns.ts";
import { waiterOf } from "../sync/waiter.ts";
import { readTeamsOf, type Viewer } from "../tables/sync.ts";

/** Changes of one answer; each brings a conversation and a message at most. */
const maxChanges = 100;
const maxWaitSeconds = 30;

const SyncQuery = z.strictObject({
  after: queryInt(0, Number.MAX_SAFE_INTEGER).optional().meta({
    description:
      "`next_after` of the last answer; left out: the open conversations that changed last, to begin with.",
  }),
  limit: queryInt(1, maxChanges).optional(),
  wait: queryInt(0, maxWaitSeconds)
    .optional()
    .meta({ description: "Seconds to wait for a change when there is none." }),
});

const Sync = z
  .object({
    conversations: z.array(Conversation).meta({ description: "As they are now." }),
    messages: z.array(ConversationMessage),
    removed: z
      .array(z.string())
      .meta({ description: "Conversations that you had and have no more." }),
    reset: z.boolean().meta({
      description:
        "Your teams changed and what you see is another part of everything, or what you have is there no more: the sandbox was reset, a backup restored. Drop it and begin again without `after`.",
    }),
    next_after: z.int(),
    unread: z.int().meta({ description: "In your open conversations." }),
  })
  .meta({ id: "MobileSync" });

/** Owners and admins see all that is the partner's, and so does a key. */
function viewerOf(call: Call<unknown, unknown>): Viewer {
  const { agent } = call;
  const seesAll = agent === undefined || agent.role === "owner" || agent.role === "admin";
  return { partner: call.partner.partner_id, agent: seesAll ? undefined : agent.agent_id };
}

function answered({ context, env, request }: Call<unknown, unknown>, page: SyncPage): Answer {
  const { masterKey, settings } = context;
  const maker = { masterKey, origin: originOf(request, settings), environment: env };
  const body = { ...page, messages: withLinks(maker, page.messages, Date.now()) };
  return {
    status: 200,
    body,
    etag: etagOf(hash("sha256", JSON.stringify(body), "base64url").slice(0, 22)),
  };
}

async function sync(call: Call<undefined, z.infer<typeof SyncQuery>>): Promise<Answer> {
  const { deps } = call;
  const viewer = viewerOf(call);
  const { after, limit = maxChanges, wait = 0 } = call.query;
  const pool = deps.projectionPool;
  if (after === undefined) return answered(call, await inTurn(pool, () => beginSync(deps, viewer)));
  const deadline = performance.now() + wait * 1_000;
  for (;;) {
    const found = await inTurn(pool, () => findChanges(deps, viewer, after, limit));
    if (after > found.last)
      throw new PublicError("sequence_ahead", `Your changes end at ${found.last}: begin anew.`);
    const leftMs = deadline - performance.now();
    if (found.changes.length > 0 || leftMs <= 0 || call.signal.aborted)
      return answered(call, await inTurn(pool, () => showChanges(deps, viewer, found)));
    const teams =
      viewer.agent === undefined
        ? []
        : await inTurn(pool, () => readTeamsOf(pool, viewer.partner, viewer.agent!));
    await whileAllowed(call, (signal) =>
      waiterOf(pool).wait({ ...viewer, after: found.last, teams }, leftMs, signal),
    );
    await stillAllowed(call);
  }
}

export const syncRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/mobile/sync",
    scope: "mobile",
    summary: "What changed for you since: conversations, messages, and what you lost",
    projection: "mobile",
    etag: true,
    query: SyncQuery,
    response: Sync,
    errors: ["sequence_ahead", "invalid_request"],
    handler: sync,
  }),
];
