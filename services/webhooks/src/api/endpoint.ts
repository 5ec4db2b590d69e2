import {
  type EventData,
  keysOf,
  type MasterKey,
  PublicError,
  isId,
  openSecret,
  streamOf,
} from "@heliograph/contracts";
import {
  type Endpoint,
  evolveEndpoint,
  type OptionalOrNull,
  type OptionalSettings,
  optionalSettingsOf,
  signingSecrets,
} from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import { changeOnce, notAsOf, type Call } from "@heliograph/api";
import { headersOf, masked, sealHeaders } from "../headers.ts";
import { publicKeyOf } from "../sign.ts";

const notFound = (): PublicError =>
  new PublicError("not_found", "There is no such webhook endpoint.");

/** What a change of an endpoint, and what is asked of one, can be refused with. */
export const changeErrors = [
  "invalid_request",
  "malformed_json",
  "not_found",
  "conflict",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "log_unavailable",
] as const;

/** An endpoint folded from its stream, so always fresh, with the revision to append at. */
export type Found = {
  readonly endpoint: Endpoint;
  readonly revision: number;
  readonly position: bigint;
};

/** The partner's endpoint. Throws `not_found`, also for a deleted one and another partner's. */
export async function findEndpoint(call: Call, id: string): Promise<Found> {
  if (!isId("whe", id)) throw notFound();
  let endpoint: Endpoint | undefined;
  let last: RecordedEvent | undefined;
  // By pages: retries that the partner asked for stand here too, as many as it asked for.
  for await (const event of call.deps.log.scanStream(streamOf("endpoint", id))) {
    endpoint = evolveEndpoint(endpoint, event);
    if (endpoint?.partner !== call.account) throw notFound();
    last = event;
  }
  if (last === undefined || endpoint === undefined || endpoint.status === "deleted")
    throw notFound();
  return { endpoint, revision: last.revision, position: last.position };
}

type Change =
  | { readonly type: "WebhookEndpointEnabled"; readonly data: EventData<"WebhookEndpointEnabled"> }
  | { readonly type: "WebhookEndpointUpdated"; readonly data: EventData<"WebhookEndpointUpdated"> }
  | { readonly type: "WebhookSecretRotated"; readonly data: EventData<"WebhookSecretRotated"> }
  | { readonly type: "WebhookEndpointDeleted"; readonly data: EventData<"WebhookEndpointDeleted"> };

/**
 * Appends what `decide` makes of the endpoint, at the very revision it was shown; nothing when it gives undefined; it throws the refusal that it gives. When a first try with
 * the same idempotency key got as far as its append, its result is given again. Throws `not_found` and `conflict`.
 */
export async function changeEndpoint(
  call: Call,
  id: string,
  name: string,
  decide: (endpoint: Endpoint) => Change | readonly Change[] | PublicError | undefined,
): Promise<Found> {
  if (!isId("whe", id)) throw notFound();
  const { state, revision, position } = await changeOnce<Endpoint>(call, {
    stream: streamOf("endpoint", id),
    name: `${name} ${id}`,
    correlation: id,
    evolve: evolveEndpoint,
    decide(endpoint) {
      if (endpoint?.partner !== call.account || endpoint.status === "deleted")
        return { refusal: notFound() };
      const change = decide(endpoint);
      if (change instanceof PublicError) return { refusal: change };
      return { events: change === undefined ? [] : [change].flat() };
    },
  });
  return { endpoint: state!, revision, position };
}

/** The whole settings of an endpoint, as an update event holds them. */
export function settingsOf(
  endpoint: Omit<Endpoint, keyof OptionalSettings> & OptionalOrNull,
  masterKey: Buffer,
): EventData<"WebhookEndpointUpdated"> {
  const { event_types, description, rate_limit } = endpoint;
  // Headers from before they were sealed are sealed by the first change.
  const sealed_headers = endpoint.sealed_headers ?? sealHeaders(masterKey, endpoint.headers);
  return {
    endpoint_id: endpoint.id,
    url: endpoint.url,
    ...(event_types !== null && { event_types: [...event_types] }),
    ...(description !== null && { description }),
    ...(rate_limit !== null && { rate_limit }),
    ...optionalSettingsOf(endpoint),
    ...(sealed_headers !== undefined && { sealed_headers }),
    status: endpoint.status === "enabled" ? "enabled" : "disabled",
  };
}

/** An endpoint as the API shows it, without its secret. */
export const endpointView = (endpoint: Endpoint, masterKey: Buffer): object => ({
  id: endpoint.id,
  url: endpoint.url,
  event_types: endpoint.event_types ?? [],
  types: endpoint.event_types ?? [],
  filters: endpoint.filters ?? null,
  status: endpoint.status,
  disabled_reason: endpoint.disabled_reason,
  description: endpoint.description,
  rate_limit: endpoint.rate_limit,
  concurrency_limit: endpoint.concurrency_limit ?? null,
  asymmetric_signature: endpoint.asymmetric_signature ?? false,
  public_keys: publicKeysOf(endpoint, masterKey),
  timestamped_signature_header: endpoint.timestamped_signature_header ?? null,
  ordering: endpoint.ordering ?? null,
  batch: endpoint.batch ?? null,
  http2: endpoint.http2 ?? false,
  headers: masked(headersOf(endpoint, masterKey)),
  created_at: endpoint.created_at,
  updated_at: endpoint.updated_at,
});

/** The same as it was, while what it shows of it opens: a rotation of the master key seals anew what there is now, and no event of before. Throws `invalid_request` afterwards. */
export function pastEndpointView(endpoint: Endpoint, masterKey: MasterKey): object {
  const { sealed_headers, asymmetric_signature, secrets } = endpoint;
  const shown = asymmetric_signature === true ? signingSecrets(secrets, Date.now()) : [];
  const sealed = [sealed_headers, ...shown.map((secret) => secret.sealed)];
  if (!sealed.every((each) => each === undefined || opens(masterKey, each)))
    throw notAsOf(
      "is before the master key was rotated, and the headers or keys that the endpoint had then open no more",
    );
  return endpointView(endpoint, masterKey);
}

function opens(masterKey: MasterKey, sealed: string): boolean {
  try {
    openSecret(masterKey, sealed);
    return true;
  } catch {
    return false;
  }
}

/** What verifies `v1a` now, the current one first. */
const publicKeysOf = (endpoint: Endpoint, masterKey: MasterKey): readonly object[] =>
  endpoint.asymmetric_signature === true
    ? signingSecrets(endpoint.secrets, Date.now()).flatMap(({ sealed, expires_at }) =>
        keysOf(masterKey).map((key) => ({
          public_key: publicKeyOf(key, endpoint.id, openSecret(masterKey, sealed)),
          expires_at,
        })),
      )
    : [];

/** The current secret, and until when the one before it signs too. */
export function secretsOf(
  endpoint: Endpoint,
  masterKey: Buffer,
  now: number,
): { readonly secret: string; readonly previous_secret_expires_at: string | null } {
  const [current, previous] = signingSecrets(endpoint.secrets, now);
  return {
    secret: openSecret(masterKey, current!.sealed),
    // The fold lets no earlier one sign for longer.
    previous_secret_expires_at: previous?.expires_at ?? null,
  };
}
