import { base32ToUuid, type EventData, streamOf, uuid5 } from "@heliograph/contracts";
import type { Endpoint, EndpointNotice } from "@heliograph/domain";
import { change, type EventLog, type RecordedEvent } from "@heliograph/log";

/** What the platform says of an endpoint by itself. */
type Notice = Exclude<EndpointNotice, { readonly type: "WebhookEndpointEnabled" }>;

/**
 * Appends a notice of an endpoint. Does nothing when the endpoint is disabled or deleted already. The id follows from the cause (a UUID), and where the notice changes the endpoint from the place too,
 * so doing it again after a crash changes nothing, and the same event may disable an endpoint that was enabled since. Throws LogUnavailable, or an error when other writers never leave a gap.
 */
async function append(
  log: EventLog,
  { id }: Pick<Endpoint, "id">,
  notice: Notice,
  cause: string,
  partner: string,
): Promise<void> {
  const idAt = (revision = -1): string =>
    uuid5(cause, id, notice.type, ...(revision < 0 ? [] : [String(revision)]));
  const result = await change(log, {
    stream: streamOf("endpoint", id),
    evolve: isEnabled,
    decide: (enabled) => ({ events: enabled === true ? [notice] : [] }),
    eventId: notice.type === "WebhookEndpointDisabled" ? idAt : idAt(),
    metadata: { partner, actor: "service:webhooks", causation: cause },
  });
  if (result.kind === "contended")
    throw new Error(`the stream of ${id} is written without a pause`);
}

/** Disables an endpoint because of the answer to an event. */
export function disableEndpoint(
  log: EventLog,
  endpoint: Pick<Endpoint, "id" | "url">,
  eventId: string,
  reason: string,
  partner: string,
): Promise<void> {
  const cause = base32ToUuid(eventId.slice(4)) ?? eventId;
  const data = { endpoint_id: endpoint.id, url: endpoint.url, reason };
  return append(log, endpoint, { type: "WebhookEndpointDisabled", data }, cause, partner);
}

/** Tells, once for each time that it began to fail, that an endpoint fails or answers again. */
export function tellOfHealth(
  log: EventLog,
  endpoint: Pick<Endpoint, "id" | "url">,
  since: number,
  error: string | undefined,
  partner: string,
): Promise<void> {
  const data: EventData<"WebhookEndpointRecovered"> = {
    endpoint_id: endpoint.id,
    url: endpoint.url,
    since: new Date(since).toISOString(),
  };
  const notice: Notice =
    error === undefined
      ? { type: "WebhookEndpointRecovered", data }
      : { type: "WebhookEndpointFailing", data: { ...data, error } };
  return append(log, endpoint, notice, uuid5("webhook health", String(since)), partner);
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
