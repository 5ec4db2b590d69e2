import { type EventType, streamOf, uuid5 } from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import type { GatewayConfig } from "@heliograph/gateways";
import { change, type Decision, type Metadata, type RecordedEvent } from "@heliograph/log";
import type { ServiceContext } from "@heliograph/runtime";
import type { Trouble } from "./breaker.ts";

/** So long has no process had an open breaker before a gateway is said to have recovered; scaled as the breaker's pauses are. */
export const CALM_MS = 60_000;
/** So many times longer after that it is not said to be degraded again, so that one that comes and goes is not told of at every turn. */
const REST = 10;

type Notice = RecordedEvent<"GatewayDegraded" | "GatewayRecovered">;
/** The last that was said of a gateway. */
export type Said = Pick<Notice, "type" | "data" | "recordedAt"> & {
  readonly metadata: Pick<Notice["metadata"], "partner">;
};
type Subject = Pick<GatewayConfig, "gateway_id" | "name" | "channel">;

const lastOf = (_: RecordedEvent | undefined, event: RecordedEvent): RecordedEvent => event;
const isNotice = (event: { readonly type: EventType } | undefined): event is Notice =>
  event?.type === "GatewayDegraded" || event?.type === "GatewayRecovered";

/** Says once that a gateway is degraded, and not soon after it recovered. */
export function decideDegraded(
  said: Said | undefined,
  { gateway_id, name, channel }: Subject,
  { since, reason }: Trouble,
  now: number,
  scale: number,
): Decision<never> {
  if (said?.type === "GatewayDegraded") return { events: [] };
  // A clock that was set back makes no rest longer.
  const restedMs = said === undefined ? Infinity : Math.abs(now - said.recordedAt);
  if (restedMs < CALM_MS * REST * scale) return { events: [] };
  const data = { gateway_id, name, channel, since: formatTime(since), reason };
  return { events: [{ type: "GatewayDegraded", data }] };
}

/** Says it to whom the trouble was told, and only where it was. */
export function decideRecovered(
  said: Said | undefined,
  subject: Subject,
  metadata: (partner: string | undefined) => Metadata,
): Decision<never> {
  if (said?.type !== "GatewayDegraded") return { events: [] };
  const { gateway_id, name, channel } = subject;
  const data = { gateway_id, name, channel, since: said.data.since };
  const to = metadata(said.metadata.partner);
  return { events: [{ type: "GatewayRecovered", data, metadata: to }] };
}

type About = Pick<ServiceContext, "environment" | "log" | "directory" | "settings">;

/** Appends what is to be said of a gateway at the very revision after which it is: of several processes one says it. With no trouble: that it has recovered. */
export async function tell(
  { environment, log, directory, settings }: About,
  gateway: GatewayConfig,
  trouble: Trouble | undefined,
  now: number,
): Promise<void> {
  const stream = streamOf("gateway", gateway.gateway_id);
  const metadata = (partner: string | undefined): Metadata => ({
    actor: "service:dispatch",
    ...(partner !== undefined && { partner: directory.spaceOf(environment, partner) }),
  });
  const decide = (last: RecordedEvent | undefined): Decision<never> => {
    const said = isNotice(last) ? last : undefined;
    return trouble === undefined
      ? decideRecovered(said, gateway, metadata)
      : decideDegraded(said, gateway, trouble, now, settings.retryScale);
  };
  // The last event is all there is to know, and the stream may be long.
  const [last] = await log.readStream(stream, { backwards: true, limit: 1 });
  const result = await change<RecordedEvent>(log, {
    stream,
    evolve: lastOf,
    decide,
    eventId: (revision) => uuid5(gateway.gateway_id, "gateway notice", String(revision)),
    metadata: metadata(gateway.partner_id),
    guess: last === undefined ? { revision: -1 } : { revision: last.revision, state: last },
  });
  if (result.kind === "contended") throw new Error(`${stream} is written without a pause`);
}
