import type { TypedEvent } from "@heliograph/contracts";

/** What of webhook endpoints the outside sees. */
export const endpointTypes = {
  WebhookEndpointDisabled: "webhook_endpoint.disabled",
  WebhookEndpointEnabled: "webhook_endpoint.enabled",
  WebhookEndpointFailing: "webhook_endpoint.failing",
  WebhookEndpointRecovered: "webhook_endpoint.recovered",
} as const;

export type EndpointNotice = TypedEvent<keyof typeof endpointTypes>;

export const isEndpointNotice = (event: TypedEvent): event is EndpointNotice =>
  Object.hasOwn(endpointTypes, event.type);

/** The `data` of the public event. */
export function endpointData({ type, data }: EndpointNotice): Readonly<Record<string, unknown>> {
  const { endpoint_id, url } = data;
  switch (type) {
    case "WebhookEndpointDisabled":
      return { endpoint_id, url, reason: data.reason };
    case "WebhookEndpointEnabled":
      return { endpoint_id, url };
    case "WebhookEndpointFailing":
      return { endpoint_id, url, since: data.since, error: data.error };
    case "WebhookEndpointRecovered":
      return { endpoint_id, url, since: data.since };
    default:
      return data satisfies never;
  }
}

const endpoint = {
  endpoint_id: "whe_00000000000000000000000000",
  url: "https://example.com/webhooks",
};

/** Made-up `data` of each type, at a time (RFC 3339). */
export const endpointSamples = {
  "webhook_endpoint.disabled": () => ({ ...endpoint, reason: "the endpoint answered 410 Gone" }),
  "webhook_endpoint.enabled": () => endpoint,
  "webhook_endpoint.failing": (since: string) => ({ ...endpoint, since, error: "status_500" }),
  "webhook_endpoint.recovered": (since: string) => ({ ...endpoint, since }),
} satisfies Record<(typeof endpointTypes)[keyof typeof endpointTypes], (at: string) => object>;
