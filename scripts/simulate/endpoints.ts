import { createCipheriv, createHash } from "node:crypto";
import { deterministicId, streamOf, type EventData } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import type { Chance } from "./chance.ts";

export const masterKey = Buffer.alloc(32, 7);
const plain = new Map<string, string>();

/** A secret sealed as the platform seals one, but the same each time. */
export function sealedSecret(name: string): string {
  const bytes = createHash("sha256").update(name).digest();
  const nonce = bytes.subarray(0, 12);
  const cipher = createCipheriv("aes-256-gcm", masterKey, nonce);
  const secret = `whsec_${bytes.toString("base64")}`;
  const body = Buffer.concat([cipher.update(secret, "utf8"), cipher.final()]);
  const sealed = `v1.${Buffer.concat([nonce, body, cipher.getAuthTag()]).toString("base64url")}`;
  plain.set(sealed, secret);
  return sealed;
}
export const plainOf = (sealed: string): string => plain.get(sealed)!;

/** What an endpoint is after an event, as its owner was promised. */
export type EndpointState = {
  readonly id: string;
  readonly position: bigint;
  readonly status: "enabled" | "disabled" | "deleted";
  readonly url: string;
  /** None: all. */
  readonly types: readonly string[];
  readonly isOrdered: boolean;
  readonly takesBatches: boolean;
  readonly concurrency: number | undefined;
  /** The newest first; each signs until a time. */
  readonly secrets: readonly { readonly sealed: string; readonly until: number }[];
};
export const isOpen = ({ status }: EndpointState): boolean => status === "enabled";
/** Of those that are rotated more often than this in their overlap the oldest sign no more. */
const mostSecrets = 3;

type Settings = EventData<"WebhookEndpointUpdated">;
const settingsOf = ({
  url,
  event_types = [],
  ordering,
  batch,
  concurrency_limit,
}: Partial<Settings>) => ({
  url: url!,
  types: event_types,
  isOrdered: ordering !== undefined,
  takesBatches: batch !== undefined,
  concurrency: concurrency_limit,
});

/** Undefined where the event changes no endpoint. */
export function endpointAfter(
  known: ReadonlyMap<string, readonly EndpointState[]>,
  { type, data, position, recordedAt }: RecordedEvent,
): EndpointState | undefined {
  const { endpoint_id: id } = data as { readonly endpoint_id: string };
  if (type === "WebhookEndpointCreated") {
    const secrets = [{ sealed: data.secret, until: Number.POSITIVE_INFINITY }];
    return { id, position, status: "enabled", secrets, ...settingsOf(data) };
  }
  const before = known.get(id)?.at(-1);
  if (before === undefined || before.status === "deleted") return undefined;
  switch (type) {
    case "WebhookEndpointUpdated":
      return { ...before, position, status: data.status, ...settingsOf(data) };
    case "WebhookEndpointDisabled":
      return { ...before, position, status: "disabled" };
    case "WebhookEndpointDeleted":
      return { ...before, position, status: "deleted" };
    case "WebhookSecretRotated": {
      const ends = Date.parse(data.previous_secret_expires_at);
      const older = before.secrets
        .map(({ sealed, until }) => ({ sealed, until: Math.min(until, ends) }))
        .filter(({ until }) => until > recordedAt);
      const secrets = [{ sealed: data.secret, until: Number.POSITIVE_INFINITY }, ...older];
      return { ...before, position, secrets: secrets.slice(0, mostSecrets) };
    }
    default:
      return undefined;
  }
}

const families = [[], [], ["message.*"], ["message.sent", "message.delivered"], ["wallet.*"]];
/** One for each event as it comes, in the order of each subject, or some together. */
const ways = [
  {},
  { ordering: "per_subject" },
  { ordering: "per_subject" },
  { batch: { max_events: 3, max_wait_ms: 50 } },
] as const;
const overlapsMs = [0, 1_000, 600_000];

export type Edit = { readonly stream: string; readonly type: string; readonly data: object };

/** What owners of endpoints ask for, as the API appends it. */
export class Owners {
  readonly #chance: Chance;
  readonly #now: () => number;
  readonly #settings = new Map<string, Omit<Settings, "endpoint_id" | "status">>();
  #count = 0;

  constructor(chance: Chance, now: () => number) {
    this.#chance = chance;
    this.#now = now;
  }
  get ids(): readonly string[] {
    return [...this.#settings.keys()];
  }

  create(): readonly Edit[] {
    const endpoint_id = deterministicId("whe", `${this.#count++}`);
    const settings = this.#draw(endpoint_id);
    this.#settings.set(endpoint_id, settings);
    const created_at = new Date(this.#now()).toISOString();
    const data = { endpoint_id, ...settings, secret: this.#secret(), created_at };
    return [edit(endpoint_id, "WebhookEndpointCreated", data)];
  }
  /** Some edit of some endpoint. */
  edit(): readonly Edit[] {
    const { ids } = this;
    if (ids.length === 0) return [];
    const endpoint_id = this.#chance.oneOf(ids);
    const kind = this.#chance.draw();
    if (kind < 0.3) return this.#rotate(endpoint_id);
    if (kind < 0.4) return [this.#test(endpoint_id)];
    if (kind < 0.45) {
      this.#settings.delete(endpoint_id);
      return [edit(endpoint_id, "WebhookEndpointDeleted", { endpoint_id })];
    }
    if (kind < 0.65) return this.#update(endpoint_id, "disabled");
    return this.#update(endpoint_id, "enabled");
  }
  #rotate(endpoint_id: string): readonly Edit[] {
    const until = new Date(this.#now() + this.#chance.oneOf(overlapsMs)).toISOString();
    const data = { endpoint_id, secret: this.#secret(), previous_secret_expires_at: until };
    return [edit(endpoint_id, "WebhookSecretRotated", data)];
  }
  #test(endpoint_id: string): Edit {
    const delivery_id = deterministicId("whd", `test ${this.#count++}`);
    const data = { endpoint_id, delivery_id, type: "message.sent" };
    return edit(endpoint_id, "WebhookTestRequested", data);
  }
  #update(endpoint_id: string, status: Settings["status"]): readonly Edit[] {
    const known = this.#settings.get(endpoint_id)!;
    const settings = this.#chance.draw() < 0.5 ? known : this.#draw(endpoint_id);
    this.#settings.set(endpoint_id, settings);
    return [edit(endpoint_id, "WebhookEndpointUpdated", { endpoint_id, ...settings, status })];
  }
  #draw(endpoint_id: string): Omit<Settings, "endpoint_id" | "status"> {
    const chance = this.#chance;
    const path = chance.draw() < 0.3 ? "/again" : "";
    const event_types = [...chance.oneOf(families)];
    const concurrency_limit = chance.oneOf([undefined, 1, 2]);
    const rate_limit = chance.oneOf([undefined, undefined, 5]);
    return {
      url: `https://receiver.example.com/${endpoint_id}${path}`,
      ...chance.oneOf(ways),
      ...(event_types.length > 0 && { event_types }),
      ...(concurrency_limit !== undefined && { concurrency_limit }),
      ...(rate_limit !== undefined && { rate_limit }),
    };
  }
  #secret(): string {
    return sealedSecret(`secret ${this.#count++}`);
  }
}

const edit = (endpointId: string, type: string, data: object): Edit => ({
  stream: streamOf("endpoint", endpointId),
  type,
  data,
});
