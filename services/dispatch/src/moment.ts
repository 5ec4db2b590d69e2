import type { NewEvent } from "@heliograph/log";
import type { PartnerClock } from "@heliograph/runtime";

/** When something happens to a message: now by the clock of its partner, or at a time that the clock went over at once. */
export type Moment = { readonly partner: string | undefined; readonly at: number | undefined };

export const momentMs = (clock: PartnerClock, { partner, at }: Moment): number =>
  at ?? clock.now(partner);

/** What follows from an event happens now, or when that did where the clock has gone over it since. */
export const momentOf = (
  clock: PartnerClock,
  { metadata: { partner, at } }: Pick<NewEvent, "metadata">,
): Moment => ({
  partner,
  at: at === undefined ? undefined : clock.instant(partner, Date.parse(at)),
});

/** Events say when they happened where that is not the real time. */
export function stamped(
  clock: PartnerClock,
  moment: Moment,
  events: readonly NewEvent[],
): readonly NewEvent[] {
  const stamp = clock.stamp(moment.partner, moment.at);
  return stamp === undefined
    ? events
    : events.map((event) => ({ ...event, metadata: { ...event.metadata, ...stamp } }));
}
