import { base32ToUuid, streamOf, uuid5 } from "@heliograph/contracts";
import type { Endpoint } from "@heliograph/domain";
import { change, type EventLog, type RecordedEvent } from "@heliograph/log";

/**
 * Appends WebhookEndpointDisabled because of the answer to an event. Does nothing when the endpoint is disabled or deleted already. The id follows from the
 * cause and the place, so doing it again after a crash changes nothing, and the same event may disable an endpoint that was enabled since. Throws LogUnavailable, or an
 * error when other writers never leave a gap.
 */
export async function disableEndpoint(
  log: EventLog,
  endpoint: Endpoint,
  eventId: string,
  reason: string,
  partner: string,
): Promise<void> {
  const cause = base32ToUuid(eventId.slice(4)) ?? eventId;
  const result = await change(log, {
    stream: streamOf("endpoint", endpoint.id),
    evolve: isEnabled,
    decide: (enabled) => ({
      events:
        enabled === true
          ? [
              {
                type: "WebhookEndpointDisabled",
                data: { endpoint_id: endpoint.id, url: endpoint.url, reason },
              },
            ]
          : [],
    }),
    eventId: (revision) => uuid5(cause, endpoint.id, "WebhookEndpointDisabled", String(revision)),
    metadata: { partner, actor: "service:webhooks", causation: cause },
  });
  if (result.kind === "contended")
    throw new Error(`the stream of ${endpoint.id} is written without a pause`);
}

/** Undefined before there is an endpoint. */
function isEnabled(enabled: boolean | undefined, { type, data }: RecordedEvent): boolean {
  switch (type) {
    case "WebhookEndpointDisabled":
    case "WebhookEndpointDeleted":
      return false;
    case "WebhookEndpointUpdated":
      return data.status === "enabled";
    default:
      return enabled ?? true;
  }
}
