import type { Call } from "@heliograph/api";
import { countAudience } from "@heliograph/contacts";
import { PublicError, formatMoney } from "@heliograph/contracts";
import type { z } from "zod";
import { requireGateway } from "../messages/refusals.ts";
import { sendingOf } from "../messages/state.ts";
import { isNamed, nextMembers } from "./audience.ts";
import type { Broadcast } from "./decide.ts";
import { type Person, readPeople } from "./people.ts";
import { ownVariables, templateOf } from "./personal.ts";
import { type BroadcastPreview, mostCounted, mostPreviewed } from "./schema.ts";
import { alone } from "../tables/previews.ts";
import { withRest } from "./turns.ts";
import { verdictOf } from "./verdict.ts";

/** Contacts between two pauses of the work, in which others have the process. */
const pageLength = 100;
/** Behind every contact that there is. */
const everybody = 2n ** 63n - 1n;

type AnyCall = Call<unknown, unknown>;
type Counts = Record<string, number>;

/** What came of those looked at. */
type Sum = {
  readonly skipped: Counts;
  readonly lacking: Counts;
  readonly languages: Counts;
  lookedAt: number;
  toSend: number;
  segments: number;
  micros: bigint;
  currency: string | null;
};

/** Goes the way of each message of a broadcast up to where it would be stored. Throws what every message would be refused with, and `rate_limited` while the partner has another one made. */
export const preview = (
  call: AnyCall,
  broadcast: Broadcast,
): Promise<z.infer<typeof BroadcastPreview>> =>
  alone(call.deps.pool, call.partner.partner_id, (alive) => previewed(call, broadcast, alive));

async function previewed(
  call: AnyCall,
  { created }: Broadcast,
  alive: () => Promise<void>,
): Promise<z.infer<typeof BroadcastPreview>> {
  const { audience, send } = created;
  const partner = call.partner.partner_id;
  const pool = call.deps.projectionPool;
  requireGateway(
    call.context.directory.gateways(call.env, send.channel),
    send.channel,
    partner,
    "",
  );
  const template = await templateOf(sendingOf(call).templates, call.account, send);
  const sum: Sum = {
    skipped: {},
    lacking: {},
    languages: {},
    lookedAt: 0,
    toSend: 0,
    segments: 0,
    micros: 0n,
    currency: null,
  };
  const asked = { partner, audience, upTo: everybody };
  const named = isNamed(audience)
    ? await nextMembers(pool, { ...asked, after: "0", limit: 0 })
    : [];
  for (let after = "0"; sum.lookedAt < mostPreviewed;) {
    const page = isNamed(audience)
      ? named.slice(sum.lookedAt, sum.lookedAt + pageLength)
      : await nextMembers(pool, { ...asked, after, limit: pageLength });
    const ids = page.map(({ id }) => id);
    await withRest(async () => {
      for (const person of await readPeople(pool, { partner, send, template }, ids))
        await add(sum, call, send, person);
    }, call.signal);
    sum.lookedAt += page.length;
    await alive();
    if (page.length < pageLength) break;
    after = page.at(-1)!.position;
  }
  const count = isNamed(audience)
    ? named.length
    : await countAudience(pool, { ...asked, after: 0n, limit: mostCounted });
  return shown(sum, Math.max(count, sum.lookedAt));
}

/** What an audience costs of which some were looked at and cost so much. */
export const costOfAll = (micros: bigint, audience: number, lookedAt: number): bigint =>
  lookedAt === 0 ? 0n : (micros * BigInt(audience)) / BigInt(lookedAt);

function shown(sum: Sum, audience: number): z.infer<typeof BroadcastPreview> {
  const { skipped, lacking, languages, lookedAt, toSend, segments, micros, currency } = sum;
  const whole = costOfAll(micros, audience, lookedAt);
  return {
    audience,
    looked_at: lookedAt,
    to_send: toSend,
    skipped,
    lacking,
    languages,
    segments,
    cost: currency === null ? null : formatMoney(micros),
    estimated_cost: currency === null ? null : formatMoney(whole),
    currency,
  };
}

async function add(
  sum: Sum,
  call: AnyCall,
  send: Broadcast["created"]["send"],
  person: Person,
): Promise<void> {
  if (person.kind === "skipped") {
    tally(sum.skipped, person.reason);
    for (const name of person.lacking ?? []) tally(sum.lacking, name);
    return;
  }
  try {
    const { data, costMicros } = await sendingOf(call).quote(call, {
      ...person.said,
      to: person.to,
    });
    sum.toSend++;
    sum.segments += data.segments.count;
    sum.micros += costMicros;
    sum.currency = data.currency;
    const { template } = data.content;
    if (template !== undefined) tally(sum.languages, template.language);
  } catch (error) {
    if (!(error instanceof PublicError)) throw error;
    const verdict = verdictOf(error, ownVariables(send));
    if (verdict.kind !== "skip") throw error;
    tally(sum.skipped, verdict.reason);
  }
}

function tally(counts: Counts, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
