import { type Answer, type Call, type Route, route } from "@heliograph/api";
import { uuidToBase32 } from "@heliograph/contracts";
import { z } from "zod";
import { pushesOf } from "../tables/pushes.ts";
import { agentOfCall } from "./devices.ts";

/** More than anybody looks through when a push did not come. */
const shownPushes = 100;

const Push = z
  .object({
    id: z.string(),
    device_id: z.string(),
    conversation_id: z.string(),
    kind: z.enum(["assigned", "message"]),
    status: z.enum(["due", "calling", "sent", "failed", "uncertain"]).meta({
      description: "`uncertain`: it may have been sent, so it is not sent again.",
    }),
    tries: z.int(),
    reason: z.string().nullable().meta({ description: "Why it was not, or not yet, sent." }),
    created_at: z.string(),
  })
  .meta({ id: "Push" });

async function list(call: Call): Promise<Answer> {
  const { agentId } = agentOfCall(call);
  const rows = await pushesOf(call.deps.pool, call.partner.partner_id, agentId, shownPushes);
  const data = rows.map((row) => ({
    id: uuidToBase32(row.id),
    device_id: row.device_id,
    conversation_id: row.conversation_id,
    kind: row.kind,
    status: row.status,
    tries: row.tries,
    reason: row.reason,
    created_at: row.created_at.toISOString(),
  }));
  return { status: 200, body: { data } };
}

export const pushRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/mobile/pushes",
    scope: "mobile",
    summary: "What was pushed to your devices in the last day, and what became of it",
    projection: "mobile_push",
    response: z.object({ data: z.array(Push) }).meta({ id: "PushList" }),
    errors: [],
    handler: list,
  }),
];
