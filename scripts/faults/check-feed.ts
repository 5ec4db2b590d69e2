import type { ApiClient } from "@heliograph/testkit";
import { Webhook } from "standardwebhooks";
import type { Verdict } from "./verdict.ts";
import type { Arrival } from "./journal.ts";
import type { Tenant, World } from "./world.ts";

type LifecycleEvent = {
  readonly id: string;
  readonly type: string;
  readonly sequence: number;
  readonly environment: string;
  readonly data: { readonly message_id?: string; readonly client_ref?: string };
};

/** The feed says with each what its reader was told of before; a webhook is the same text without it. */
type Given = LifecycleEvent & { readonly previous_sequence: number };

const pageSize = 1_000;
/** The first of each of these comes in this order, whatever else comes between. */
const order = ["message.queued", "message.sent", "message.delivered"];

/** 7 to 9: the feed is gap-free and in order, and each endpoint has got each of its events. */
export async function checkFeedAndWebhooks(
  world: World,
  tenant: Tenant,
  client: ApiClient,
  verdict: Verdict,
): Promise<readonly LifecycleEvent[]> {
  const events: LifecycleEvent[] = [];
  const texts = new Map<string, string>();
  const where = `${tenant.partner} ${tenant.environment}`;
  for (let after = 0; ;) {
    const { body } = await client.get(`/events?after=${after}&limit=${pageSize}`);
    for (const { previous_sequence: previous, ...event } of body.data as Given[]) {
      if (previous !== (events.at(-1)?.sequence ?? 0))
        verdict.broken(9, `${where}: ${event.sequence} is said to come behind ${previous}`);
      events.push(event);
      texts.set(event.id, JSON.stringify(event));
    }
    if (body.data.length === 0) break;
    after = body.next_after as number;
  }
  const last = new Map<string, number>();
  const seen = new Set<string>();
  for (const [index, event] of events.entries()) {
    if (event.sequence !== index + 1)
      verdict.broken(9, `${where}: sequence ${event.sequence} where ${index + 1} should be`);
    if (event.environment !== tenant.environment)
      verdict.broken(8, `${where}: an event of ${event.environment}`);
    const { message_id: id } = event.data;
    const step = order.indexOf(event.type);
    if (id === undefined || step === -1) continue;
    // A mail that came back for now is sent again, which may be told after its first sending was delivered.
    if (step < (last.get(id) ?? -1) && !seen.has(`${id} ${event.type}`))
      verdict.broken(9, `${where}: ${event.type} of ${id} comes too late`);
    seen.add(`${id} ${event.type}`);
    last.set(id, Math.max(step, last.get(id) ?? -1));
  }
  const arrivals = new Map<string, Arrival[]>();
  for (const arrival of world.journal.arrivals) {
    const list = arrivals.get(arrival.endpoint);
    if (list) list.push(arrival);
    else arrivals.set(arrival.endpoint, [arrival]);
  }
  for (const endpoint of tenant.endpoints) {
    const wanted = events.filter(
      ({ type }) => endpoint.types === undefined || endpoint.types.includes(type),
    );
    checkEndpoint(
      endpoint.name,
      endpoint.secret,
      wanted,
      texts,
      arrivals.get(endpoint.name) ?? [],
      world.journal.interruptions,
      verdict,
    );
  }
  return events;
}

function checkEndpoint(
  name: string,
  secret: string,
  wanted: readonly LifecycleEvent[],
  texts: ReadonlyMap<string, string>,
  arrivals: readonly Arrival[],
  interruptions: number,
  verdict: Verdict,
): void {
  const webhook = new Webhook(secret);
  const accepted = new Map<string, number>();
  const ids = new Set(wanted.map(({ id }) => id));
  for (const { id, body, headers, accepted: taken } of arrivals) {
    if (!ids.has(id))
      verdict.broken(8, `${name} got ${id}, which is not for it: ${body.slice(0, 120)}`);
    else if (body !== texts.get(id))
      verdict.broken(
        7,
        `${name} got another text for ${id} than the feed has: ${body} against ${texts.get(id)}`,
      );
    const [, signature = ""] = headers["webhook-signature"]?.split(",") ?? [];
    // Signed when it was sent: the age of a run does not matter here.
    const sentAt = new Date(Number(headers["webhook-timestamp"]) * 1000);
    if (webhook.sign(id, sentAt, body) !== `v1,${signature}`)
      verdict.broken(7, `${name} got ${id} with a wrong signature`);
    if (taken) accepted.set(id, (accepted.get(id) ?? 0) + 1);
  }
  for (const { id, type, sequence } of wanted) {
    const times = accepted.get(id) ?? 0;
    if (times === 0) verdict.broken(7, `${name} never got ${type} ${id} (sequence ${sequence})`);
    if (times > 1 + interruptions)
      verdict.broken(7, `${name} got ${id} ${times} times over ${interruptions} interruptions`);
  }
}
