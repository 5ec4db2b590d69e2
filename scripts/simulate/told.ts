import { webhookDelaysMs } from "@heliograph/contracts";
import { isEndpointNotice } from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import { keepMissedMs } from "../../services/webhooks/src/lanes.ts";
import { deliveryOf, type Told } from "./hooks.ts";
import type { EndpointState } from "./endpoints.ts";
import type { Platform } from "./platform.ts";

type Row =
  Platform["hooks"]["tables"]["rows"] extends ReadonlyMap<string, infer Each> ? Each : never;

/** What does not hold of webhooks, at rest: each event that an endpoint wanted has one end there, and none is owed what it never wanted. */
export async function faultsOfWebhooks(platform: Platform): Promise<readonly string[]> {
  const { sim, hooks, receivers } = platform;
  const { events } = await sim.log.readAll({ after: 0n, limit: 1_000_000 });
  receivers.note(events);
  const faults = [...receivers.faults, ...hooks.tables.faults];
  const { rows, notices, pending } = hooks.tables;
  if (pending.length > 0) faults.push(`${pending.length} deliveries wait at rest`);
  const expected = new Set<string>();
  for (const [endpoint, states] of receivers.endpoints)
    for (const [event, told] of receivers.told) {
      const then = receivers.at(endpoint, told.position);
      if (!receivers.wants(then, told) || isOwn(endpoint, then!, told)) continue;
      const id = deliveryOf(event, endpoint);
      expected.add(id);
      if (isGivenUp(then!, told.event, events)) continue;
      const row = rows.get(id);
      const about = (what: string): void =>
        void faults.push(`${told.type} ${event} for ${endpoint} ${what}`);
      if (row === undefined) about("is lost");
      else faultsOfRow(platform, row, told, states, about);
    }
  for (const { type, data, id } of events) {
    if (type === "WebhookTestRequested") expected.add(data.delivery_id);
    if (type === "WebhookEndpointDisabled" && !notices.has(id))
      faults.push(`nobody is told that ${data.endpoint_id} is disabled`);
  }
  for (const { id, endpoint_id, type } of rows.values())
    if (!expected.has(id)) faults.push(`${endpoint_id} has ${type} ${id}, which it never wanted`);
  return faults;
}

/** That it was disabled is nothing that an endpoint misses. */
const isOwn = (endpoint: string, { status }: EndpointState, { event }: Told): boolean =>
  status !== "enabled" && isEndpointNotice(event) && event.data.endpoint_id === endpoint;

/** What comes weeks after it was closed is kept no more. */
const isGivenUp = (
  { status, position }: EndpointState,
  { recordedAt }: RecordedEvent,
  events: readonly RecordedEvent[],
): boolean =>
  status !== "enabled" && recordedAt > events[Number(position) - 1]!.recordedAt + keepMissedMs;

function faultsOfRow(
  { receivers }: Platform,
  row: Row,
  { position, sequence }: Told,
  states: readonly EndpointState[],
  about: (what: string) => void,
): void {
  const { id, status, tries } = row;
  if (row.sequence !== sequence) about(`has the sequence ${row.sequence} and not ${sequence}`);
  if (status === "delivered" && !receivers.taken.has(id)) about("is delivered and nobody has it");
  if (status === "failed" && tries < webhookDelaysMs.length && !receivers.asked.has(id))
    about(`has failed after ${tries} attempts`);
  // It was closed when the event came, or has been since.
  const wasClosed =
    states.some((state) => state.status !== "enabled" && state.position >= position) ||
    receivers.at(row.endpoint_id, position)?.status !== "enabled";
  if (status === "discarded" && !wasClosed) about("is discarded, and its endpoint is open");
}
