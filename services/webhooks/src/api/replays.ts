import { PublicError } from "@heliograph/contracts";
import { parseTime, typesNamed } from "@heliograph/domain";
import { deliveryStatuses } from "../tables/webhooks.ts";
import { z } from "zod";
import { type Call, type Answer, type Route, notValid, route, TimeInput } from "@heliograph/api";
import { changeErrors, findEndpoint } from "./endpoint.ts";
import { cancelReplay, replayProgress, startReplay } from "./replay.ts";
import { EventTypeNames } from "./schema.ts";

const Types = EventTypeNames.min(1);
const StartReplay = z
  .strictObject({
    since: TimeInput.optional().meta({ description: "Of the event, inclusive." }),
    until: TimeInput.optional().meta({ description: "Exclusive." }),
    after_sequence: z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
    types: Types.optional(),
    event_types: Types.optional().meta({ description: "The same as `types`." }),
    statuses: z
      .array(z.enum(deliveryStatuses as [(typeof deliveryStatuses)[number]]))
      .min(1)
      .optional()
      .meta({
        description:
          "Default: what was not delivered, `failed` and `discarded`. With `delivered` your endpoint gets again what it has; `pending` is going to be tried anyway.",
      }),
  })
  .meta({
    id: "StartWebhookReplay",
    example: { since: "2026-05-01T00:00:00Z", types: ["message.*"], statuses: ["failed"] },
  });

const ReplayView = z
  .object({
    id: z.string(),
    matched: z.int(),
    complete: z.boolean().meta({ description: "false: continue with `after_sequence`." }),
    last_sequence: z.int().nullable(),
  })
  .meta({ id: "WebhookReplay" });
const ReplayProgressView = z
  .object({
    id: z.string(),
    status: z.enum(["running", "done", "stopped", "canceled"]).meta({
      description:
        "`stopped`: its endpoint is disabled. `canceled`: what was not sent then is not sent.",
    }),
    matched: z.int(),
    attempted: z.int(),
    delivered: z.int(),
    failed: z.int(),
    created_at: z.string(),
  })
  .meta({ id: "WebhookReplayProgress" });

async function start(call: Call<z.infer<typeof StartReplay>, unknown>): Promise<Answer> {
  const { endpoint } = await findEndpoint(call, call.params["id"]!);
  if (endpoint.status !== "enabled")
    throw new PublicError("conflict", "The webhook endpoint is disabled: enable it first.");
  const { since, until, after_sequence, event_types, types = event_types, statuses } = call.body;
  if (since !== undefined && until !== undefined && parseTime(until)! <= parseTime(since)!)
    throw notValid("body", [
      { path: "until", code: "out_of_range", message: "must be later than since" },
    ]);
  const { replay, position } = await startReplay(call, {
    partner: call.partner.partner_id,
    endpointId: endpoint.id,
    statuses: statuses ?? ["failed", "discarded"],
    ...(types !== undefined && { types: [...typesNamed(types)] }),
    ...(since !== undefined && { since: parseTime(since)! }),
    ...(until !== undefined && { until: parseTime(until)! }),
    ...(after_sequence !== undefined && { afterSequence: after_sequence }),
  });
  return { status: 202, body: replay, position };
}

async function progress(call: Call<undefined, undefined>): Promise<Answer> {
  const id = call.params["replay"]!;
  const { endpoint } = await findEndpoint(call, call.params["id"]!);
  const { canceled, ...found } = await replayProgress(call, endpoint.id, id);
  const rest = endpoint.status === "enabled" ? "running" : "stopped";
  const unfinished = canceled ? "canceled" : rest;
  const status = found.attempted >= found.matched ? "done" : unfinished;
  return { status: 200, body: { id, status, ...found } };
}

async function cancel(call: Call<undefined, undefined>): Promise<Answer> {
  const id = call.params["replay"]!;
  const { endpoint } = await findEndpoint(call, call.params["id"]!);
  const position = await cancelReplay(call, endpoint.id, id);
  return { status: 202, body: { id, endpoint_id: endpoint.id }, position };
}

export const webhookReplayRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/webhook-endpoints/:id/replay",
    scope: "webhooks:write",
    summary: "Try again every delivery that matches, by default what was not delivered",
    mutates: true,
    status: 202,
    projection: "webhooks",
    body: StartReplay,
    response: ReplayView,
    errors: [
      "invalid_request",
      "malformed_json",
      "not_found",
      "conflict",
      "idempotency_in_progress",
      "idempotency_key_reused",
      "log_unavailable",
    ],
    handler: start,
  }),
  route({
    method: "GET",
    path: "/webhook-endpoints/:id/replay/:replay",
    scope: "webhooks:read",
    summary: "How far a replay is",
    projection: "webhooks",
    response: ReplayProgressView,
    errors: ["not_found"],
    handler: progress,
  }),
  route({
    method: "POST",
    path: "/webhook-endpoints/:id/replay/:replay/cancel",
    scope: "webhooks:write",
    summary: "Cancel a replay: what was not sent yet is not sent",
    mutates: true,
    status: 202,
    response: z
      .object({ id: z.string(), endpoint_id: z.string() })
      .meta({ id: "CanceledWebhookReplay" }),
    errors: changeErrors,
    handler: cancel,
  }),
];
