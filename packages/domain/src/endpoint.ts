import { type EventData, type TypedEvent, accountOf } from "@heliograph/contracts";

/** What a webhook endpoint is after its events: the fold that the webhooks service and the API share. */
export type EndpointSecret = {
  /** Sealed with the master key; openSecret of contracts gives it plain. */
  readonly sealed: string;
  /** RFC 3339; null for the current secret. Until then the secret signs beside the newer ones. */
  readonly expires_at: string | null;
};

/** Settings that an endpoint has only where its last change named them. */
const optionalSettings = [
  "sealed_headers",
  "filters",
  "concurrency_limit",
  "asymmetric_signature",
  "timestamped_signature_header",
  "ordering",
  "batch",
  "http2",
] as const;
export type OptionalSettings = {
  readonly [Name in (typeof optionalSettings)[number]]?: NonNullable<
    EventData<"WebhookEndpointUpdated">[Name]
  >;
};

/** As a change names them: null takes one away. */
export type OptionalOrNull = {
  readonly [Name in keyof OptionalSettings]?: OptionalSettings[Name] | null | undefined;
};

export type Endpoint = OptionalSettings & {
  readonly id: string;
  readonly partner: string;
  readonly url: string;
  /** Public event types, and families of them (`message.*`); null stands for every type. */
  readonly event_types: readonly string[] | null;
  readonly description: string | null;
  /** Most requests a second; null when only our own limits hold. */
  readonly rate_limit: number | null;
  /** Plain, of an endpoint that was last changed before `sealed_headers`. */
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
  "WebhookEndpointResealed",
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
        ...withoutOptional(state),
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
    case "WebhookEndpointResealed":
      return {
        ...state,
        secrets: state.secrets.map((secret, index) => ({
          ...secret,
          sealed: data.secrets[index] ?? secret.sealed,
        })),
        ...(state.sealed_headers !== undefined &&
          data.sealed_headers !== undefined && { sealed_headers: data.sealed_headers }),
      };
    case "WebhookEndpointDisabled":
      return { ...state, status: "disabled", disabled_reason: data.reason, updated_at };
    case "WebhookEndpointDeleted":
      return { ...withoutOptional(state), status: "deleted", secrets: [], updated_at };
    default:
      return state;
  }
}

/** The settings that an endpoint has and others have not, as an event holds them: absent, null and false are the same. */
export function optionalSettingsOf(from: OptionalOrNull): OptionalSettings {
  const present = optionalSettings.filter((name) => (from[name] ?? false) !== false);
  return Object.fromEntries(present.map((name) => [name, from[name]]));
}

/** Headers may hold a password: nothing of them outlives a change that leaves them out, nor the endpoint. */
function withoutOptional(state: Endpoint): Endpoint {
  const rest = { ...state, headers: {} };
  for (const name of optionalSettings) delete rest[name];
  return rest;
}

function settingsOf(
  data: EventData<"WebhookEndpointCreated"> | EventData<"WebhookEndpointUpdated">,
): Pick<Endpoint, "url" | "event_types" | "description" | "rate_limit" | "headers"> {
  return {
    url: data.url,
    event_types:
      data.event_types === undefined || data.event_types.length === 0 ? null : data.event_types,
    description: data.description ?? null,
    rate_limit: data.rate_limit ?? null,
    headers: data.headers ?? {},
    ...optionalSettingsOf(data),
  };
}
