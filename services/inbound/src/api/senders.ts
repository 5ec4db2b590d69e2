import {
  type Answer,
  type Call,
  type Route,
  appendPlatform,
  notValid,
  route,
} from "@heliograph/api";
import { inboxAddress } from "@heliograph/channels";
import { type EventData, PublicError, environments, uuid5 } from "@heliograph/contracts";
import type { z } from "zod";
import { AssignSender, SenderView } from "./schema.ts";

/** The gateway and the environment it is in. Throws `invalid_request`. */
function gatewayOf(call: Call, id: string) {
  const { directory } = call.context;
  const gateway = environments
    .flatMap((environment) => directory.gateways(environment))
    .find(({ gateway_id }) => gateway_id === id);
  if (gateway === undefined || (call.env !== "live" && gateway.environment !== call.env))
    throw notValid("body", [
      { path: "gateway_id", code: "not_found", message: "there is no such gateway" },
    ]);
  return gateway;
}

async function assign(call: Call<z.infer<typeof AssignSender>, unknown>): Promise<Answer> {
  const { gateway_id, partner_id } = call.body;
  const gateway = gatewayOf(call, gateway_id);
  if (call.context.directory.partner(partner_id) === undefined)
    throw notValid("body", [
      { path: "partner_id", code: "not_found", message: "there is no such partner" },
    ]);
  const address = inboxAddress(gateway.channel, call.body.address);
  if (address.kind === "fault") {
    const { code, message } = address;
    throw notValid("body", [{ path: "address", code, message }]);
  }
  const data: EventData<"SenderAssigned"> = {
    gateway_id,
    address: address.value,
    partner_id,
    environment: gateway.environment,
    assigned_at: new Date().toISOString(),
  };
  const { position, conflicts } = await appendPlatform(call, [
    {
      stream: `sender-${uuid5(gateway_id, address.value)}`,
      expected: "any",
      events: [
        {
          id: call.eventId("sender"),
          type: "SenderAssigned",
          data,
          metadata: call.metadata({ partner: partner_id }),
        },
      ],
    },
  ]);
  if (conflicts > 0) throw new PublicError("conflict", "It is assigned by another request.");
  const { environment: _, ...shown } = data;
  return { status: 200, body: shown, position };
}

export const senderRoutes: readonly Route[] = [
  route({
    method: "PUT",
    path: "/admin/senders",
    scope: "admin",
    summary: "Say whose messages to one of a gateway's addresses are",
    mutates: true,
    body: AssignSender,
    response: SenderView,
    errors: [
      "invalid_request",
      "malformed_json",
      "idempotency_in_progress",
      "idempotency_key_reused",
      "log_unavailable",
    ],
    handler: assign,
  }),
];
