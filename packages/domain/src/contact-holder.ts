import { type EventData, type TypedEvent, streamOf } from "@heliograph/contracts";

/** Whom something of a contact belongs to now: itself, or after merges the survivor. */
export type Holder = {
  readonly id: string;
  /** Sealed. */
  readonly name: string | null;
  /** JSON, sealed: with the zone of its clocks. */
  readonly profile: string | null;
  /** It was forgotten, or is about to be. */
  readonly erased: boolean;
  /** Those that are part of it. */
  readonly merged: readonly string[];
  /** By which it is known now, their texts sealed. */
  readonly external_ids: readonly HeldId[];
  /** Of its last event; -1 for a contact that is not in the log. */
  readonly revision: number;
};
/** `from` is the merge that brought it. */
type HeldId = EventData<"ContactCreated">["external_ids"][number] & { readonly from?: string };
type Seen = Holder & { readonly into: string | undefined };
export type ContactLog = {
  readStreams(
    streams: readonly string[],
  ): Promise<ReadonlyMap<string, readonly (TypedEvent & { readonly revision: number })[]>>;
};

/** A chain of merges is as long as somebody merged survivors by hand. */
const maxMerges = 50;

/** The holders of contacts, by the ids that were asked for. Read from the log itself, so a merge holds at once on every engine. */
export async function holdersOf(
  log: ContactLog,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Holder>> {
  const seen = new Map<string, Seen>();
  let asked = [...new Set(ids)];
  for (let depth = 0; asked.length > 0 && depth < maxMerges; depth++) {
    const streams = await log.readStreams(asked.map((id) => streamOf("contact", id)));
    for (const id of asked)
      seen.set(id, foldHolder(id, streams.get(streamOf("contact", id)) ?? []));
    asked = asked.flatMap((id) => {
      const into = seen.get(id)?.into;
      return into === undefined || seen.has(into) ? [] : [into];
    });
  }
  return new Map(ids.map((id) => [id, survivor(seen, id)]));
}

function survivor(seen: ReadonlyMap<string, Seen>, id: string): Holder {
  let found = seen.get(id)!;
  for (let depth = 0; found.into !== undefined && depth < maxMerges; depth++) {
    const next = seen.get(found.into);
    if (next === undefined) break;
    found = next;
  }
  return found;
}

/** A contact and all that are part of it, however they came to be. */
export async function partsOf(log: ContactLog, id: string): Promise<readonly string[]> {
  const parts = new Set([id]);
  let asked = [id];
  for (let depth = 0; asked.length > 0 && depth < maxMerges; depth++) {
    const streams = await log.readStreams(asked.map((each) => streamOf("contact", each)));
    asked = asked
      .flatMap((each) => foldHolder(each, streams.get(streamOf("contact", each)) ?? []).merged)
      .filter((each) => !parts.has(each));
    for (const each of asked) parts.add(each);
  }
  return [...parts];
}

function foldHolder(
  id: string,
  events: readonly (TypedEvent & { readonly revision: number })[],
): Seen {
  let holder: Seen = {
    id,
    name: null,
    profile: null,
    erased: false,
    merged: [],
    external_ids: [],
    into: undefined,
    revision: -1,
  };
  for (const event of events)
    holder = { ...holder, ...changes(holder, event), revision: event.revision };
  return holder;
}

function changes(holder: Seen, { type, data }: TypedEvent): Partial<Seen> {
  switch (type) {
    case "ContactCreated":
      return { name: data.name, profile: data.profile, external_ids: data.external_ids };
    case "ContactExternalIdAdded":
      return { external_ids: [...without(holder, data.external_id.name), data.external_id] };
    case "ContactExternalIdRemoved":
      return { external_ids: without(holder, data.name) };
    case "ContactUpdated":
      return {
        ...(data.name !== undefined && { name: data.name }),
        ...(data.profile !== undefined && { profile: data.profile }),
      };
    case "ContactAbsorbed":
      return {
        name: data.name,
        profile: data.profile,
        merged: [...holder.merged, data.merged_id],
        external_ids: [
          ...holder.external_ids,
          ...data.external_ids.map((each) => ({ ...each, from: data.merge_id })),
        ],
      };
    case "ContactReleased":
      return {
        name: data.name,
        profile: data.profile,
        merged: holder.merged.filter((each) => each !== data.released_id),
        external_ids: holder.external_ids.filter(({ from }) => from !== data.merge_id),
      };
    case "ContactMerged":
      return { into: data.into };
    case "ContactUnmerged":
      return {
        into: undefined,
        external_ids: holder.external_ids.filter(({ name }) => !data.lost.includes(name)),
      };
    case "ContactErasureRequested":
    case "ContactErased":
      return { erased: true };
    default:
      return {};
  }
}

const without = ({ external_ids }: Holder, name: string): readonly HeldId[] =>
  external_ids.filter((each) => each.name !== name);
