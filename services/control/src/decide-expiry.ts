import type { EventData } from "@heliograph/contracts";
import { endOf } from "@heliograph/api";
import type { Decision, RecordedEvent } from "@heliograph/log";
import type { Key } from "@heliograph/platform";

/** A week for a release, and a day for whoever forgot. */
const noticesDays = [1, 7] as const;
const dayMs = 86_400_000;

/** Which notice of a key's end is due: of several, the last one. A key that was rotated has its successor, and needs none. */
export function dueNotice(
  key: Pick<Key, "expires_at" | "revoked" | "replaced_by">,
  now: number,
): number | undefined {
  if (key.expires_at === undefined || key.replaced_by !== undefined) return undefined;
  if (endOf(key, now) !== undefined) return undefined;
  const leftMs = Date.parse(key.expires_at) - now;
  return noticesDays.find((days) => leftMs <= days * dayMs);
}

/** The last notice that was told. */
export const evolveNotice = (told: number | undefined, event: RecordedEvent): number | undefined =>
  event.type === "KeyExpiring" ? event.data.notice_days : told;

/** Tells a notice once, and none after a later one. */
export function decideNotice(
  told: number | undefined,
  { key_id, name, prefix, expires_at }: Key,
  notice_days: number,
  now: number,
): Decision<never> {
  if (told !== undefined && told <= notice_days) return { events: [] };
  const data: EventData<"KeyExpiring"> = {
    key_id,
    name,
    prefix,
    expires_at: expires_at!,
    notice_days,
    at: new Date(now).toISOString(),
  };
  return { events: [{ type: "KeyExpiring", data }] };
}
