import { accountOf, type Environment, type EventType, streamOf } from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import { type EventLog, formatPosition, type RecordedEvent } from "@heliograph/log";
import { toldBy } from "./changes.ts";
import type { Entry } from "./entry.ts";

/** What the platform does by itself: its timers, its reactors and its rota. The action of an entry is the event's type. */
export const ownTypes = [
  "KeyExpiring",
  "HoldLapsed",
  "FundsExpired",
  "BalanceLow",
  "SuppressionStarted",
  "SuppressionEnded",
  "WebhookEndpointDisabled",
  "WebhookEndpointFailing",
  "WebhookEndpointRecovered",
  "GatewayDegraded",
  "GatewayRecovered",
  "EvaluationProvisioned",
  "EvaluationAssigned",
  "EvaluationReminded",
  "EvaluationClosed",
] as const satisfies readonly EventType[];
export type OwnType = (typeof ownTypes)[number];
type Own = Extract<RecordedEvent, { readonly type: OwnType }>;

const done = 200;
const wallet = "/api/v1/wallet";
const isOwn = (event: RecordedEvent): event is Own =>
  (ownTypes as readonly EventType[]).includes(event.type);

/** Undefined for what somebody asked for: that call is in the table. */
export function ownEntry(environment: Environment, event: RecordedEvent): Entry | undefined {
  const about = isOwn(event) ? aboutOf(event) : undefined;
  if (about === undefined) return undefined;
  const { position, type, metadata, recordedAt } = event;
  return {
    key: String(position),
    id: `${about.log ?? environment}-log-${formatPosition(position)}`,
    at: formatTime(recordedAt),
    environment,
    partner: accountOf(metadata.partner ?? ""),
    actor: metadata.actor ?? "",
    key_prefix: null,
    action: type,
    target: about.id === undefined ? about.path : `${about.path}/${about.id}`,
    subject: about.id ?? null,
    request_id: metadata.request_id ?? "",
    ip: "",
    outcome: done,
    code: null,
    count: about.count ?? 1,
    changes: toldBy(event),
  };
}

type About = {
  readonly path: string;
  readonly id?: string;
  readonly count?: number;
  readonly log?: "platform";
};

function aboutOf(event: Own): About | undefined {
  switch (event.type) {
    case "KeyExpiring":
      return { path: "/api/v1/keys", id: event.data.key_id };
    case "HoldLapsed":
      return { path: "/api/v1/messages", id: event.data.message_id };
    case "FundsExpired":
      return { path: wallet, count: event.data.entries.length };
    case "BalanceLow":
      return { path: wallet };
    case "SuppressionStarted":
    case "SuppressionEnded":
      // By what a person wrote, what came back, or a complaint; else by a call.
      return event.metadata.actor?.startsWith("service:") === true
        ? { path: "/api/v1/suppressions", id: event.data.suppression_id }
        : undefined;
    case "WebhookEndpointDisabled":
    case "WebhookEndpointFailing":
    case "WebhookEndpointRecovered":
      return { path: "/api/v1/webhook-endpoints", id: event.data.endpoint_id };
    case "GatewayDegraded":
    case "GatewayRecovered":
      return { path: "/api/v1/admin/gateways", id: event.data.gateway_id };
    case "EvaluationAssigned":
      return event.data.by === "rota" ? evaluationOf(event.data) : undefined;
    case "EvaluationClosed":
      return event.data.duplicate_of === undefined ? undefined : evaluationOf(event.data);
    case "EvaluationProvisioned":
    case "EvaluationReminded":
      return evaluationOf(event.data);
    default:
      return event satisfies never;
  }
}

const evaluationOf = ({ evaluation_id: id }: { readonly evaluation_id: string }): About => ({
  path: "/api/v1/admin/evaluations",
  id,
  log: "platform",
});

/** The streams that tell of what an id, or a path that ends with one, stands for. */
export async function streamsOf(log: EventLog, target: string): Promise<readonly string[]> {
  const id = target.slice(target.lastIndexOf("/") + 1);
  switch (/^([a-z]{3})_[0-9A-Z]{26}$/.exec(id)?.[1]) {
    case "msg":
      return [streamOf("message", id), streamOf("hold", id)];
    case "key":
      return [streamOf("key", id)];
    case "whe":
      return [streamOf("endpoint", id)];
    case "gtw":
      return [streamOf("gateway", id)];
    case "evl":
      return [streamOf("evaluation", id)];
    case "sup": {
      const [placed] = await log.readStream(streamOf("suppression", id), { limit: 1 });
      return placed?.type === "SuppressionPlaced"
        ? [streamOf("suppression", placed.data.name)]
        : [];
    }
    default:
      return [];
  }
}

/** The types of entries whose target is no single thing. */
export const ownTargetTypes = (target: string): readonly OwnType[] =>
  target === wallet || target === "wallet" ? ["FundsExpired", "BalanceLow"] : [];
