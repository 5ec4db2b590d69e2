import { type EventData, type MasterKey, streamOf, uuid5 } from "@heliograph/contracts";
import { type Endpoint, endpointEventTypes, evolveEndpoint } from "@heliograph/domain";
import { change, type EventLog } from "@heliograph/log";
import { resealText, type Resealed } from "@heliograph/vault";
import type pg from "pg";
import { endpointIds, foldedUpTo } from "./tables/webhooks.ts";

/**
 * Seals what endpoints hold with the first of the two master keys, where the second sealed it: an event in each one's stream, at the revision it was read at. Counts endpoints. Without `renew`
 * it only counts. Safe to repeat.
 */
export async function resealEndpoints(
  { log, pool }: { readonly log: EventLog; readonly pool: pg.Pool },
  masterKey: MasterKey,
  { renew, onPage }: { readonly renew: boolean; onPage(): void | Promise<void> },
): Promise<Resealed> {
  const sums = { renewed: 0, left: 0, lost: 0 };
  for await (const id of everyEndpoint(log, pool)) {
    let endpoint: Endpoint | undefined;
    for await (const event of log.scanStream(streamOf("endpoint", id)))
      endpoint = evolveEndpoint(endpoint, event);
    const found = endpoint === undefined ? undefined : resealed(endpoint, masterKey);
    if (found === "lost") sums.lost++;
    if (found === undefined || found === "lost") continue;
    if (renew && (await tell(log, endpoint!, masterKey))) {
      sums.renewed++;
      await onPage();
    } else sums.left++;
  }
  return sums;
}

/** The ids of those that were not deleted: those on record, and those whose events are not on record yet. */
async function* everyEndpoint(log: EventLog, pool: pg.Pool): AsyncGenerator<string> {
  const recent = new Set<string>();
  const types = [...endpointEventTypes];
  // Before the first look at the table: what it lacks then came after this.
  let after = await foldedUpTo(pool);
  for (;;) {
    const page = await log.readAll({ after, limit: 1_000, types });
    for (const { data } of page.events) recent.add((data as { endpoint_id: string }).endpoint_id);
    if (page.position <= after) break;
    after = page.position;
  }
  for (let last = ""; ;) {
    const ids = await endpointIds(pool, last);
    if (ids.length === 0) break;
    last = ids.at(-1)!;
    for (const id of ids) {
      recent.delete(id);
      yield id;
    }
  }
  yield* recent;
}

/** What the event says; undefined where everything is under the first key already. */
function resealed(
  endpoint: Endpoint,
  masterKey: MasterKey,
): EventData<"WebhookEndpointResealed"> | "lost" | undefined {
  const renewed = resealText(masterKey);
  const { id, sealed_headers, status } = endpoint;
  if (status === "deleted") return undefined;
  const before = endpoint.secrets.map(({ sealed }) => sealed);
  const after = before.map((sealed) => renewed(sealed, id));
  const headers = sealed_headers === undefined ? undefined : renewed(sealed_headers, id);
  if ([...after, headers].every((each) => each === undefined)) return undefined;
  if ([...after, headers].includes("lost")) return "lost";
  return {
    endpoint_id: id,
    secrets: after.map((each, index) => each ?? before[index]!),
    ...(headers !== undefined && { sealed_headers: headers }),
  };
}

/** False when others kept changing the endpoint. */
async function tell(
  log: EventLog,
  { id, partner }: Endpoint,
  masterKey: MasterKey,
): Promise<boolean> {
  const stream = streamOf("endpoint", id);
  const changed = await change<Endpoint>(log, {
    stream,
    metadata: { partner, actor: "ops", correlation: id },
    eventId: (revision) => uuid5("endpoint resealed", id, String(revision)),
    evolve: evolveEndpoint,
    decide(endpoint) {
      const data = endpoint === undefined ? undefined : resealed(endpoint, masterKey);
      const wanted = data !== undefined && data !== "lost";
      return { events: wanted ? [{ type: "WebhookEndpointResealed", data }] : [] };
    },
  });
  return changed.kind !== "contended";
}
