import type { EndpointFilters } from "@heliograph/contracts";
import { lifecycleTypeNames, type LifecycleSource, type LifecycleType } from "./lifecycle.ts";

type Family = LifecycleType extends `${infer Name}.${string}` ? `${Name}.*` : never;

const familyOf = (type: LifecycleType): Family => `${type.slice(0, type.indexOf("."))}.*` as Family;

/** Names that stand for all types that begin alike, also for those of later releases: `message.*`. */
export const lifecycleFamilies = [...new Set(lifecycleTypeNames.map(familyOf))] as [
  Family,
  ...Family[],
];

/** The types that names of types and of families stand for. */
export function typesNamed(names: readonly string[]): ReadonlySet<string> {
  const wanted = new Set(names);
  return new Set(
    lifecycleTypeNames.filter((type) => wanted.has(type) || wanted.has(familyOf(type))),
  );
}

/** What filters look at. */
export type Filtered = {
  readonly channel?: string;
  readonly tags?: readonly string[] | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
};

/** What an event of the log has that endpoints, and readers of the feed, filter by. */
function filteredOf({ type, data }: LifecycleSource): Filtered {
  switch (type) {
    case "MessageRequested":
      return data;
    case "MessageReceived":
    case "ReceivedFileKept":
    case "ReceivedFileLost":
    case "ConversationOpened":
      return { channel: data.channel };
    default:
      return "message" in data && typeof data.message === "object"
        ? (data.message as Filtered)
        : {};
  }
}

/** The same as JSON text, to be kept beside the event; undefined where there is nothing that a filter could ask for. */
export function filteredText(event: LifecycleSource): string | undefined {
  const { channel, tags = [], metadata = {} } = filteredOf(event);
  const isBare = Object.keys(metadata).length === 0;
  if (channel === undefined && tags.length === 0 && isBare) return undefined;
  return JSON.stringify({
    channel,
    ...(tags.length > 0 && { tags }),
    ...(!isBare && { metadata }),
  } satisfies { [Name in keyof Filtered]: unknown });
}

/** Whether an endpoint with these filters is told of an event. One that lacks what is asked for, an event of the wallet for example, is not told. */
export const passesFilters = (filters: EndpointFilters, event: LifecycleSource): boolean =>
  passes(filters, filteredOf(event));

/** The same of what was kept of an event. */
export function passes(
  filters: EndpointFilters,
  { channel, tags = [], metadata = {} }: Filtered,
): boolean {
  if (filters.channels !== undefined && !filters.channels.some((wanted) => wanted === channel))
    return false;
  if (filters.tags !== undefined && !filters.tags.some((tag) => tags.includes(tag))) return false;
  return Object.entries(filters.metadata ?? {}).every(
    ([key, wanted]) =>
      Object.hasOwn(metadata, key) && [wanted].flat().some((value) => value === metadata[key]),
  );
}
