import { type TypedEvent, accountOf } from "@heliograph/contracts";

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
  /** Plain, of an endpoint that was last changed before they were sealed. */
  readonly headers: Readonly<Record<string, string>>;
  /** The request headers as a JSON object, sealed like a secret. */
  readonly sealed_headers?: string;
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
export const maxSecrets = 3;

/** The secrets that sign at a time (epoch ms), the current one first. */
export const signingSecrets = (
  secrets: readonly EndpointSecret[],
  now: number,
): readonly EndpointSecret[] =>
  secrets.filter(({ expires_at }) => expires_at === null || Date.parse(expires_at) > now);

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
      partner: accountOf(metadata.partner!),
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
        ...withoutHeaders(state),
        ...settingsOf(data),
        status: data.status,
        disabled_reason: data.status === "enabled" ? null : state.disabled_reason,
        updated_at,
      };
    case "WebhookSecretRotated": {
      // The overlap is the longest that any earlier secret goes on for: a shorter one ends a longer one, and none ends them all.
      const until: string = data.previous_secret_expires_at;
      const expiring = state.secrets.map(({ sealed, expires_at }) => ({
        sealed,
        expires_at:
          expires_at === null || Date.parse(until) < Date.parse(expires_at) ? until : expires_at,
      }));
      const secrets = [
        { sealed: data.secret, expires_at: null },
        ...signingSecrets(expiring, recordedAt),
      ];
      return { ...state, secrets: secrets.slice(0, maxSecrets), updated_at };
    }
    case "WebhookEndpointDisabled":
      return { ...state, status: "disabled", disabled_reason: data.reason, updated_at };
    case "WebhookEndpointDeleted":
      return { ...withoutHeaders(state), status: "deleted", secrets: [], updated_at };
    default:
      return state;
  }
}

const withoutHeaders = ({ sealed_headers: _, ...state }: Endpoint): Endpoint => ({
  ...state,
  headers: {},
});

function settingsOf(data: {
  readonly url: string;
  readonly event_types?: readonly string[] | undefined;
  readonly description?: string | undefined;
  readonly rate_limit?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly sealed_headers?: string | undefined;
}): Pick<
  Endpoint,
  "url" | "event_types" | "description" | "rate_limit" | "headers" | "sealed_headers"
> {
  return {
    url: data.url,
    event_types:
      data.event_types === undefined || data.event_types.length === 0 ? null : data.event_types,
    description: data.description ?? null,
    rate_limit: data.rate_limit ?? null,
    headers: data.headers ?? {},
    ...(data.sealed_headers !== undefined && { sealed_headers: data.sealed_headers }),
  };
}
