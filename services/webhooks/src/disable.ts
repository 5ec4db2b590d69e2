import { base32ToUuid, streamOf, uuid5 } from "@heliograph/contracts";
import type { Endpoint } from "@heliograph/domain";
import type { EventLog } from "@heliograph/log";

/** Another writer of the stream (the API) may be first; each try reads again. */
const maxTries = 5;

/**
 * Appends WebhookEndpointDisabled because of the answer to an event. Does nothing when the endpoint is disabled or deleted already. The id follows from the
 * cause, so doing it again after a crash changes nothing. Throws LogUnavailable, or an error when other writers never leave a gap.
 */
export async function disableEndpoint(
  log: EventLog,
  endpoint: Endpoint,
  eventId: string,
  reason: string,
): Promise<void> {
  const stream = streamOf("endpoint", endpoint.id);
  const cause = base32ToUuid(eventId.slice(4)) ?? eventId;
  for (let tries = 0; tries < maxTries; tries++) {
    const events = await log.readStream(stream);
    const last = events.at(-1);
    if (last === undefined) return;
    let enabled = true;
    for (const event of events) {
      if (event.type === "WebhookEndpointDisabled" || event.type === "WebhookEndpointDeleted")
        enabled = false;
      if (event.type === "WebhookEndpointUpdated") enabled = event.data.status === "enabled";
    }
    if (!enabled) return;
    const [outcome] = await log.append([
      {
        stream,
        expected: last.revision,
        events: [
          {
            id: uuid5(cause, endpoint.id, "WebhookEndpointDisabled", String(last.revision)),
            type: "WebhookEndpointDisabled",
            data: { endpoint_id: endpoint.id, url: endpoint.url, reason },
            metadata: { partner: endpoint.partner, actor: "system:webhooks", causation: cause },
          },
        ],
      },
    ]);
    if (outcome!.kind === "appended" || outcome!.kind === "duplicate") return;
    if (outcome!.kind === "invalid") throw new Error(outcome!.message);
  }
  throw new Error(`the stream of ${endpoint.id} changed ${maxTries} times meanwhile`);
}
