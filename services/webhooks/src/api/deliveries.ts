import { PublicError, eventPublicId, isId, streamOf } from "@heliograph/contracts";
import {
  type Delivery,
  deliveryKey,
  deliveryStatuses,
  listDeliveries,
  listEventDeliveries,
  readDelivery,
} from "../tables/webhooks.ts";
import { z } from "zod";
import {
  appendOne,
  type Call,
  ListQuery,
  listBody,
  listOf,
  pageOf,
  type Answer,
  type Route,
  route,
} from "@heliograph/api";
import { changeErrors, findEndpoint } from "./endpoint.ts";
import { EventTypeName } from "./schema.ts";

const TestRequest = z
  .strictObject({ type: EventTypeName.optional() })
  .meta({ id: "WebhookTestRequest" });
const defaultTestType = "message.delivered";

const DeliveriesQuery = ListQuery.extend({
  status: z.enum(deliveryStatuses as [(typeof deliveryStatuses)[number]]).optional(),
});

/** Of one event or of one message: without either it would be a list of all that there is. */
const EventDeliveriesQuery = DeliveriesQuery.extend({
  event_id: z.string().max(64).optional().meta({
    description: "An event's id, as the body of a webhook has it.",
  }),
  message_id: z.string().max(64).optional().meta({
    description: "A message's id: what was told of it, to any endpoint.",
  }),
}).refine(
  ({ event_id, message_id }) => (event_id === undefined) !== (message_id === undefined),
  "takes either event_id or message_id",
);

export const DeliveryView = z
  .object({
    id: z.string(),
    endpoint_id: z.string(),
    event_id: z.string(),
    type: z.string(),
    status: z.enum(["pending", "delivered", "failed", "discarded"]),
    attempts: z.array(
      z.object({
        at: z.string(),
        status_code: z.int().optional(),
        error: z.string().optional(),
        duration_ms: z.number(),
        timing: z
          .object({
            waited_ms: z.number().optional(),
            dns_ms: z.number().optional(),
            connect_ms: z.number().optional(),
            tls_ms: z.number().optional(),
            first_byte_ms: z.number().optional(),
          })
          .optional(),
        response_excerpt: z.string().optional(),
        replay_id: z.string().optional().meta({ description: "The replay it was part of." }),
        batch_id: z.string().optional().meta({
          description: "The `webhook-id` of its request, where that was a batch.",
        }),
      }),
    ),
    next_attempt_at: z.string().optional(),
    created_at: z.string(),
  })
  .meta({ id: "WebhookDelivery" });

const DeliveryList = listOf(DeliveryView, "WebhookDeliveryList");

export const deliveryView = ({ position: _, ...shown }: Delivery): object => shown;

/** Whether it reaches the endpoint is for the webhooks service; here the wish is recorded, once for each idempotency key. */
async function record(
  call: Call,
  endpointId: string,
  type: "WebhookTestRequested" | "WebhookRetryRequested",
  data: { readonly endpoint_id: string; readonly delivery_id: string; readonly type?: string },
): Promise<bigint> {
  const stored = await appendOne(call.deps.log, {
    stream: streamOf("endpoint", endpointId),
    expected: "any",
    events: [
      {
        id: call.eventId(`${type} ${data.delivery_id}`),
        type,
        data,
        metadata: call.metadata({ correlation: endpointId }),
      },
    ],
  });
  return stored!.position;
}

const disabled = (): PublicError =>
  new PublicError("conflict", "The webhook endpoint is disabled: enable it first.");

async function test(call: Call<z.infer<typeof TestRequest>, unknown>): Promise<Answer> {
  const { endpoint } = await findEndpoint(call, call.params["id"]!);
  if (endpoint.status !== "enabled") throw disabled();
  const delivery_id = call.derivedId("whd", endpoint.id);
  const position = await record(call, endpoint.id, "WebhookTestRequested", {
    endpoint_id: endpoint.id,
    delivery_id,
    type: call.body.type ?? defaultTestType,
  });
  return { status: 202, body: { delivery_id }, position };
}

async function retry(call: Call): Promise<Answer> {
  const id = call.params["id"]!;
  const delivery = isId("whd", id)
    ? await readDelivery(call.deps.projectionPool, call.partner.partner_id, id)
    : undefined;
  if (delivery === undefined)
    throw new PublicError("not_found", "There is no such webhook delivery.");
  const { endpoint } = await findEndpoint(call, delivery.endpoint_id);
  if (endpoint.status !== "enabled") throw disabled();
  const position = await record(call, endpoint.id, "WebhookRetryRequested", {
    endpoint_id: endpoint.id,
    delivery_id: id,
  });
  return { status: 202, body: { id, endpoint_id: endpoint.id }, position };
}

async function list(call: Call<undefined, z.infer<typeof DeliveriesQuery>>): Promise<Answer> {
  const { endpoint } = await findEndpoint(call, call.params["id"]!);
  const name = `webhook-deliveries ${endpoint.id} ${call.query.status ?? ""}`;
  const page = pageOf(call, name);
  // The list runs from new to old: what comes after a cursor lies before its position.
  const rows = await listDeliveries(call.deps.projectionPool, {
    partner: call.partner.partner_id,
    endpointId: endpoint.id,
    limit: page.limit + 1,
    ...(call.query.status !== undefined && { status: call.query.status }),
    ...(page.before !== undefined && { after: page.before }),
    ...(page.after !== undefined && { before: page.after }),
  });
  return {
    status: 200,
    body: listBody(call, name, page, rows, ({ position }) => position, deliveryView),
  };
}

/** Of which events; those of a message are in its stream. */
async function eventsOf({ query, deps }: Call<undefined, z.infer<typeof EventDeliveriesQuery>>) {
  if (query.event_id !== undefined) return [query.event_id];
  if (!isId("msg", query.message_id!)) return [];
  const events = await deps.log.readStream(streamOf("message", query.message_id!));
  return events.map(({ id }) => eventPublicId(id));
}

async function listOfEvents(
  call: Call<undefined, z.infer<typeof EventDeliveriesQuery>>,
): Promise<Answer> {
  const { event_id = "", message_id = "", status } = call.query;
  const name = `webhook-deliveries of ${event_id} ${message_id} ${status ?? ""}`;
  const page = pageOf(call, name);
  const rows = await listEventDeliveries(call.deps.projectionPool, {
    partner: call.partner.partner_id,
    eventIds: await eventsOf(call),
    limit: page.limit + 1,
    ...(status !== undefined && { status }),
    ...(page.before !== undefined && { before: page.before }),
    ...(page.after !== undefined && { after: page.after }),
  });
  return { status: 200, body: listBody(call, name, page, rows, deliveryKey, deliveryView) };
}

export const webhookDeliveryRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/webhook-endpoints/:id/test",
    scope: "webhooks:write",
    summary: "Send a made-up event to a webhook endpoint",
    mutates: true,
    status: 202,
    body: TestRequest,
    response: z.object({ delivery_id: z.string() }).meta({ id: "WebhookTest" }),
    errors: changeErrors,
    handler: test,
  }),
  route({
    method: "GET",
    path: "/webhook-endpoints/:id/deliveries",
    scope: "webhooks:read",
    summary: "List an endpoint's deliveries with every attempt, newest first",
    projection: "webhooks",
    query: DeliveriesQuery,
    response: DeliveryList,
    errors: ["invalid_request", "not_found"],
    handler: list,
  }),
  route({
    method: "GET",
    path: "/webhook-deliveries",
    scope: "webhooks:read",
    summary:
      "List what was delivered of one event or of one message, to any endpoint, newest first",
    projection: "webhooks",
    query: EventDeliveriesQuery,
    response: DeliveryList,
    errors: ["invalid_request"],
    handler: listOfEvents,
  }),
  route({
    method: "POST",
    path: "/webhook-deliveries/:id/retry",
    scope: "webhooks:write",
    summary: "Try one delivery again",
    mutates: true,
    status: 202,
    projection: "webhooks",
    response: z.object({ id: z.string(), endpoint_id: z.string() }).meta({ id: "WebhookRetry" }),
    errors: changeErrors,
    handler: retry,
  }),
];
