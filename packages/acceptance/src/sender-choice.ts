import { type EventData, streamOf, uuid5 } from "@heliograph/contracts";
import {
  type AsksPool,
  chooseSender,
  defaultPool,
  isCarried,
  namedPool,
  type SenderPool,
} from "@heliograph/domain";
import { type Append, type EventIn, type EventLog, type Outcome } from "@heliograph/log";
import type { Vault } from "@heliograph/vault";
import { invalid } from "./content.ts";

/** Two processes that know different senders of a pool may meet once or twice, and not again. */
const mostClaims = 5;

/** The pool that a message takes its sender of; undefined where it takes none. Throws `invalid_request` for one that is not there. */
export function poolFor(
  pools: readonly SenderPool[],
  asked: AsksPool,
  gateways: Parameters<typeof defaultPool>[2],
  partner: string,
  country: string,
): SenderPool | undefined {
  if (asked.sender_pool === undefined) return defaultPool(pools, asked, gateways, partner, country);
  const refused = (path: string, code: string, message: string) =>
    invalid([{ path, code, message }]);
  const pool = namedPool(pools, asked, gateways, partner, country);
  if (pool === undefined)
    throw refused("sender_pool", "not_found", `${asked.channel} has no such pool of yours`);
  if (!isCarried(pool, gateways, partner, country))
    throw refused("sender_pool", "not_allowed", "its gateway does not carry the message");
  if (asked.from !== undefined && !pool.senders.includes(asked.from))
    throw refused("from", "not_in_pool", `is no sender of the pool ${pool.name}`);
  return pool;
}

/** What a recipient of a pool is called in the log, and the sender that it has. */
export type RecipientOfPool = {
  readonly name: string;
  readonly before: string | undefined;
  /** Of its stream's last event; -1 where there is none. */
  readonly revision: number;
};
type Known = { readonly log: EventLog; readonly vault: Pick<Vault, "name"> };

/** A message, or a step of one, whose recipient's sender is to be found. */
export type AsksSender = {
  readonly pool: SenderPool;
  /** Those of the pool that it may have. */
  readonly usable: readonly string[];
  readonly to: string;
  readonly preferred: string | undefined;
};

/** Reads which senders recipients have, in order, in one question however many they are; `log` is the partner's. */
export async function readChoices(
  { log, vault }: Known,
  partner: string,
  asks: readonly Pick<AsksSender, "pool" | "to">[],
): Promise<readonly RecipientOfPool[]> {
  const names = asks.map(({ pool, to }) => vault.name("affinity", partner, pool.pool_id, to));
  return readNamed(log, names);
}

async function readNamed(
  log: EventLog,
  names: readonly string[],
): Promise<readonly RecipientOfPool[]> {
  if (names.length === 0) return [];
  const distinct = [...new Set(names)].map((name) => streamOf("affinity", name));
  if (distinct.length === 1) {
    const [last] = await log.readStream(distinct[0]!, { backwards: true, limit: 1 });
    return names.map((name) => choiceIn(name, last));
  }
  // Whole streams: one has an event for each time that its recipient's sender could not be used any more.
  const streams = await log.readStreams(distinct);
  return names.map((name) => choiceIn(name, streams.get(streamOf("affinity", name))?.at(-1)));
}

const choiceIn = (
  name: string,
  last: EventIn<`affinity-${string}`> | undefined,
): RecipientOfPool => ({
  name,
  before: last?.data.sender,
  revision: last?.revision ?? -1,
});

/** A choice that is not in the log yet. */
export type SenderClaim = {
  readonly pool: SenderPool;
  readonly usable: readonly string[];
  readonly recipient: RecipientOfPool;
  readonly preferred: string | undefined;
};
type Chosen = {
  readonly from: string;
  readonly sender_pool: NonNullable<EventData<"MessageRequested">["sender_pool"]>;
};

/** The sender that a recipient has, or gets by the claim; undefined where none of the pool may be used. */
export function senderIn(
  pool: SenderPool,
  usable: readonly string[],
  recipient: RecipientOfPool,
  preferred?: string,
): { readonly chosen: Chosen; readonly claim: SenderClaim | undefined } | undefined {
  const found = chooseSender(usable, recipient, preferred);
  if (found === undefined) return undefined;
  const { sender, reason } = found;
  const { pool_id, name, gateway_id } = pool;
  const sender_pool = {
    pool_id,
    name,
    ...(gateway_id !== undefined && { gateway_id }),
    reason,
  };
  return {
    chosen: { from: sender, sender_pool },
    claim: sender === recipient.before ? undefined : { pool, usable, recipient, preferred },
  };
}

/**
 * Makes choices durable, before anything is sent by them. Whoever chose first is right: the others of the same recipient take that. Gives what each came to, in the order of the claims;
 * undefined for one that could not be settled.
 */
export async function claimSenders(
  log: EventLog,
  claims: readonly SenderClaim[],
  metadata: Append["events"][number]["metadata"],
  now: string,
): Promise<readonly (Chosen | undefined)[]> {
  const results: (Chosen | undefined)[] = claims.map(() => undefined);
  let open = claims.map((claim, index) => ({ claim, index }));
  for (let tries = 0; open.length > 0 && tries < mostClaims; tries++) {
    const asked = open.map(({ claim }) => claimed(claim, now, metadata));
    const outcomes = await log.append(asked.map(({ append }) => append));
    const lost: typeof open = [];
    for (const [place, { claim, index }] of open.entries())
      if (isStored(outcomes[place]!)) results[index] = asked[place]!.chosen;
      else lost.push({ claim, index });
    const held = await readNamed(
      log,
      lost.map(({ claim }) => claim.recipient.name),
    );
    open = [];
    for (const [place, { claim, index }] of lost.entries()) {
      const next = senderIn(claim.pool, claim.usable, held[place]!, claim.preferred)!;
      if (next.claim === undefined) results[index] = next.chosen;
      else open.push({ claim: next.claim, index });
    }
  }
  return results;
}

function isStored(outcome: Outcome): boolean {
  if (outcome.kind === "invalid") throw new Error(`SenderChosen: ${outcome.message}`);
  return outcome.kind !== "conflict";
}

/** The event's id follows from what it says and where, so that the same claim is made once. */
function claimed(
  { pool, usable, recipient, preferred }: SenderClaim,
  chosen_at: string,
  metadata: Append["events"][number]["metadata"],
): { readonly append: Append; readonly chosen: Chosen } {
  const { chosen } = senderIn(pool, usable, recipient, preferred)!;
  const { name, revision } = recipient;
  const { pool_id } = pool;
  const data: EventData<"SenderChosen"> = { pool_id, sender: chosen.from, chosen_at };
  const id = uuid5(name, "SenderChosen", String(revision + 1), chosen.from);
  const append: Append = {
    stream: streamOf("affinity", name),
    expected: revision < 0 ? "no_stream" : revision,
    events: [{ id, type: "SenderChosen", data, metadata }],
  };
  return { append, chosen };
}
