import type { EventData } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";

export const keyTypes = ["KeyIssued", "KeyRotated", "KeyRevoked"] as const;

/** An API key as its stream tells it. `expires_at` is when it ends, by its own terms or because a successor took its place. */
export type Key = EventData<"KeyIssued"> & {
  readonly revoked: boolean;
  readonly replaced_by?: string;
  readonly revision: number;
};

/** Folds one event of a key's stream. Events of a key that was never issued change nothing. */
export function evolveKey(
  key: Key | undefined,
  { type, data, revision }: Pick<RecordedEvent, "type" | "data" | "revision">,
): Key | undefined {
  if (type === "KeyIssued")
    return { ...(data as EventData<"KeyIssued">), revoked: false, revision };
  if (key === undefined) return undefined;
  switch (type as (typeof keyTypes)[number]) {
    case "KeyRotated": {
      const { successor_id, works_until } = data as EventData<"KeyRotated">;
      const expires_at = earlier(key.expires_at, works_until);
      return { ...key, expires_at, replaced_by: successor_id, revision };
    }
    case "KeyRevoked":
      return { ...key, revoked: true, revision };
    default:
      return key;
  }
}

/** A rotation makes no key last longer. */
const earlier = (own: string | undefined, until: string): string =>
  own !== undefined && Date.parse(own) < Date.parse(until) ? own : until;
