import { externalIdName } from "@heliograph/channels";
import { type Channel, type EventData, streamOf, uuid5 } from "@heliograph/contracts";
import { suppressionName } from "@heliograph/domain";
import { change, LogUnavailable, type EventLog, type Metadata } from "@heliograph/log";
import { erasedText, keyIdOf, type Vault } from "@heliograph/vault";

type Keeping = { readonly log: EventLog; readonly vault: Vault };
/** A recipient of a partner's, in the one form of its channel. */
type Address = { readonly partner: string; readonly channel: Channel; readonly address: string };

const nameOf = (vault: Pick<Vault, "name">, { partner, channel, address }: Address): string =>
  externalIdName(vault, partner, { source: channel, id: address });

/**
 * Keeps that a recipient has another address now, on the streams of both, once however often it is told. The addresses are sealed under a key that goes when a contact with one of
 * them is erased, their names stay. Throws LogUnavailable; repeating the call is safe.
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
  const ids = [from, to].map((id) => ({
    source: channel,
    id,
    name: nameOf(vault, { partner, channel, address: id }),
    suppression: suppressionName(vault, partner, channel, id),
  }));
  const owners = ids.map(({ name }) => name);
  const streams = owners.toReversed();
  const seal = await vault.seal({ partner, subject: `moved ${streams.join(" ")}`, owners });
  const [old, now] = ids.map((place) => ({ ...place, id: seal(place.id) }));
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
  /** The names of the suppressions of all others, those included that are erased. */
  readonly suppressions: readonly string[];
};

/** A group moves once; whoever tells of more is followed so far. */
const mostMoves = 8;

/** Follows what providers told of an address, either way. Where it leads to one that was erased, only names do. */
export async function movesOf(keeping: Keeping, of: Address): Promise<Moves> {
  const { partner, address } = of;
  const own = nameOf(keeping.vault, of);
  const seen = new Map<string, Place>();
  const ways = {
    now: await follow(keeping, own, seen, "to"),
    first: await follow(keeping, own, seen, "from"),
  };
  const sealed = [...seen.values()].map(({ id }) => id);
  const open = await keeping.vault.open(partner, ...sealed);
  /** As far as it can be read. */
  const readable = (places: readonly Place[]): readonly string[] => {
    const ids = places.map(({ id }) => open(id));
    const end = ids.indexOf(erasedText);
    return end < 0 ? ids : ids.slice(0, end);
  };
  const [now, first] = [readable(ways.now), readable(ways.first)];
  return {
    now: now.at(-1) ?? address,
    first: first.at(-1) ?? address,
    others: [...now, ...first],
    suppressions: [...seen.values()].map(({ suppression }) => suppression),
  };
}

type Place = EventData<"RecipientMoved">["to"];

/** The chain in one direction: the newest move of an address counts, and one that leads back to where it was already does not. */
async function follow(
  { log }: Keeping,
  own: string,
  seen: Map<string, Place>,
  way: "from" | "to",
): Promise<readonly Place[]> {
  const back = way === "to" ? "from" : "to";
  const places: Place[] = [];
  for (let at = own; ;) {
    if (seen.size >= mostMoves) return places;
    const stream = streamOf("moved", at);
    const events = await log.readStream(stream, { backwards: true, limit: mostMoves });
    const next = events.find(({ data }) => data[back].name === at)?.data[way];
    if (next === undefined || next.name === own || seen.has(next.name)) return places;
    seen.set(next.name, next);
    places.push(next);
    at = next.name;
  }
}
