import { externalIdName } from "@heliograph/channels";
import { type Channel, type EventData, streamOf, uuid5 } from "@heliograph/contracts";
import { change, LogUnavailable, type EventLog, type Metadata } from "@heliograph/log";
import { erasedText, keyIdOf, type Vault } from "@heliograph/vault";

type Keeping = { readonly log: EventLog; readonly vault: Vault };
/** A recipient of a partner's, in the one form of its channel. */
type Address = { readonly partner: string; readonly channel: Channel; readonly address: string };

const nameOf = (vault: Pick<Vault, "name">, { partner, channel, address }: Address): string =>
  vault.name("moved", partner, channel, address);

/**
 * Keeps that a recipient has another address now, on the streams of both, once however often it is told. The addresses are sealed under a key that goes when a contact with one of
 * them is erased. Throws LogUnavailable; repeating the call is safe.
 */
export async function recordMove(
  { log, vault }: Keeping,
  {
    partner,
    channel,
    from,
    to,
  }: Omit<Address, "address"> & { readonly from: string; readonly to: string },
  metadata: Metadata,
): Promise<void> {
  if (from === to) return;
  const streams = [to, from].map((address) => nameOf(vault, { partner, channel, address }));
  const ids = [from, to].map((id) => ({
    id,
    name: externalIdName(vault, partner, { source: channel, id }),
  }));
  const owners = ids.map(({ name }) => name);
  const seal = await vault.seal({ partner, subject: `moved ${streams.join(" ")}`, owners });
  const [old, now] = ids.map(({ id, name }) => ({ source: channel, id: seal(id), name }));
  const data: EventData<"RecipientMoved"> = { channel, from: old!, to: now! };
  // Once under one key: what was erased since may be told of again. The new address leads back before the old one leads away, so where a crash parts the two it is told again.
  for (const name of streams) {
    const result = await change(log, {
      stream: streamOf("moved", name),
      eventId: uuid5("moved", name, ...streams, keyIdOf(data.from.id) ?? ""),
      metadata: { ...metadata, partner },
      evolve: () => undefined,
      decide: () => ({ events: [{ type: "RecipientMoved", data }] }),
    });
    if (result.kind === "contended") throw new LogUnavailable(`moved-${name} kept changing`);
  }
}

/** What an address was called before, and what it is called now. */
export type Moves = {
  /** Where it is now: itself, where it has not moved. */
  readonly now: string;
  /** Where it was first. */
  readonly first: string;
  /** All others that it has or had. */
  readonly others: readonly string[];
};

/** A group moves once; whoever tells of more is followed so far. */
const mostMoves = 8;

/** Follows what providers told of an address, either way. What was erased leads nowhere. */
export async function movesOf(keeping: Keeping, of: Address): Promise<Moves> {
  const { address } = of;
  const seen = new Set([address]);
  const now = await follow(keeping, of, seen, "to");
  const first = await follow(keeping, of, seen, "from");
  return { now, first, others: [...seen].filter((each) => each !== address) };
}

/** The end of the chain in one direction: the newest move of an address counts, and one that leads back to where it was already does not. */
async function follow(
  { log, vault }: Keeping,
  { partner, channel, address }: Address,
  seen: Set<string>,
  way: "from" | "to",
): Promise<string> {
  const back = way === "to" ? "from" : "to";
  for (let at = address; ;) {
    if (seen.size > mostMoves) return at;
    const own = externalIdName(vault, partner, { source: channel, id: at });
    const stream = streamOf("moved", nameOf(vault, { partner, channel, address: at }));
    const events = await log.readStream(stream, { backwards: true, limit: mostMoves });
    const move = events.find(({ data }) => data[back].name === own)?.data[way].id;
    if (move === undefined) return at;
    const next = (await vault.open(partner, move))(move);
    if (next === erasedText || seen.has(next)) return at;
    seen.add(next);
    at = next;
  }
}
