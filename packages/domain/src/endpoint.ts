import type { TypedEvent } from "@heliograph/contracts";

/** What a webhook endpoint is after its events: the fold that the webhooks service and the API share. */
export type EndpointSecret = {
  /** Sealed with the master key; openSecret of contracts gives it plain. */
  readonly sealed: string;
  /** RFC 3339; null for the current secret. Until then the secret signs beside the newer ones. */
  readonly expires_at: string | null;
};

export type Endpoint = {
  readonly id: string;
  readonly partner: string;
  readonly url: string;
  /** Public event types; null stands for every type. */
  readonly event_types: readonly string[] | null;
  readonly description: string | null;
  /** Most requests a second; null when only our own limits hold. */
  readonly rate_limit: number | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly status: "enabled" | "disabled" | "deleted";
  readonly disabled_reason: string | null;
  /** The current one first. */
  readonly secrets: readonly EndpointSecret[];
  readonly created_at: string;
  readonly updated_at: string;
};

/** The log's event types that change an endpoint. */
export const endpointEventTypes = [
  "WebhookEndpointCreated",
  "WebhookEndpointUpdated",
  "WebhookSecretRotated",
  "WebhookEndpointDisabled",
  "WebhookEndpointDeleted",
] as const;

/** Rotations inside an overlap add up; a receiver is never asked to try more signatures than this. */
const maxSecrets = 3;

type EndpointEvent = TypedEvent & {
  readonly metadata: { readonly partner?: string };
  readonly recordedAt: number;
};

/** The endpoint after an event; events of other types leave it as it is, and nothing changes a deleted one. */
export function evolveEndpoint(
  state: Endpoint | undefined,
  { type, data, metadata, recordedAt }: EndpointEvent,
): Endpoint | undefined {
  const updated_at = new Date(recordedAt).toISOString();
  if (type === "WebhookEndpointCreated" && state === undefined)
    return {
      id: data.endpoint_id,
      partner: metadata.partner!,
      ...settingsOf(data),
      status: "enabled",
      disabled_reason: null,
      secrets: [{ sealed: data.secret, expires_at: null }],
      created_at: data.created_at,
      updated_at,
    };
  if (state === undefined || state.status === "deleted") return state;
  switch (type) {
    case "WebhookEndpointUpdated":
      return {
        ...state,
        ...settingsOf(data),
        status: data.status,
        disabled_reason: data.status === "enabled" ? null : state.disabled_reason,
        updated_at,
      };
    case "WebhookSecretRotated": {
      const previous = state.secrets.filter(
        (secret) => secret.expires_at === null || Date.parse(secret.expires_at) > recordedAt,
      );
      const expiring = previous.map((secret) => ({
        ...secret,
        expires_at: secret.expires_at ?? (data.previous_secret_expires_at as string),
      }));
      const secrets = [{ sealed: data.secret, expires_at: null }, ...expiring];
      return { ...state, secrets: secrets.slice(0, maxSecrets), updated_at };
    }
    case "WebhookEndpointDisabled":
      return { ...state, status: "disabled", disabled_reason: data.reason, updated_at };
    case "WebhookEndpointDeleted":
      return { ...state, status: "deleted", secrets: [], headers: {}, updated_at };
    default:
      return state;
  }
}

function settingsOf(data: {
  readonly url: string;
  readonly event_types?: readonly string[] | undefined;
  readonly description?: string | undefined;
  readonly rate_limit?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}): Pick<Endpoint, "url" | "event_types" | "description" | "rate_limit" | "headers"> {
  return {
    url: data.url,
    event_types:
      data.event_types === undefined || data.event_types.length === 0 ? null : data.event_types,
    description: data.description ?? null,
    rate_limit: data.rate_limit ?? null,
    headers: data.headers ?? {},
  };
}
