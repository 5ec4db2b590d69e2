import { PublicError, isId } from "@heliograph/contracts";
import { type Answer, type Call, type Route, route } from "@heliograph/api";
import { z } from "zod";
import { headersOf, masked } from "../headers.ts";
import { bodyOf } from "../job.ts";
import { fixedHeaders } from "../sign.ts";
import { readDelivery, readDeliveryRequest } from "../tables/webhooks.ts";
import { DeliveryView, deliveryView } from "./deliveries.ts";
import { findEndpoint } from "./endpoint.ts";

const DeliveryWithRequest = DeliveryView.extend({
  request: z
    .object({
      method: z.string().meta({ description: "Always `POST`." }),
      url: z.string().meta({ description: "Of the endpoint as it is now." }),
      headers: z.record(z.string(), z.string()).meta({
        description:
          "Of the last attempt, without `webhook-signature` and with `***` for your own values.",
      }),
      body: z.string().nullable().meta({
        description: "The very text that is signed; of a batch, this event's part of it.",
      }),
    })
    .meta({ id: "WebhookRequest" }),
}).meta({ id: "WebhookDeliveryWithRequest" });

async function get(call: Call): Promise<Answer> {
  const id = call.params["id"]!;
  const { projectionPool, log } = call.deps;
  const partner = call.partner.partner_id;
  const known = isId("whd", id);
  const delivery = known ? await readDelivery(projectionPool, partner, id) : undefined;
  const made = known ? await readDeliveryRequest(projectionPool, partner, id) : undefined;
  if (delivery === undefined || made === undefined)
    throw new PublicError("not_found", "There is no such webhook delivery.");
  const { endpoint } = await findEndpoint(call, delivery.endpoint_id);
  const event = made.body === null ? await log.readAt(BigInt(delivery.position)) : undefined;
  const stored = made.body ?? (event && bodyOf(event, made.sequence, call.env));
  const [body = null] =
    stored === undefined ? [] : await call.deps.vault.openJson(partner, [stored]);
  const last = delivery.attempts.at(-1);
  const headers = {
    ...fixedHeaders,
    ...masked(headersOf(endpoint, call.context.masterKey)),
    "webhook-id": last?.batch_id ?? delivery.event_id,
    ...(made.traceparent !== null &&
      last?.batch_id === undefined && { traceparent: made.traceparent }),
    ...(last !== undefined && {
      "webhook-timestamp": String(Math.floor(Date.parse(last.at) / 1000)),
    }),
  };
  const request = { method: "POST", url: endpoint.url, headers, body };
  return { status: 200, body: { ...deliveryView(delivery), request } };
}

export const webhookDeliveryRoute: Route = route({
  method: "GET",
  path: "/webhook-deliveries/:id",
  scope: "webhooks:read",
  summary: "Get a delivery with its attempts and the request that is sent",
  projection: "webhooks",
  response: DeliveryWithRequest,
  errors: ["not_found"],
  handler: get,
});
