import type { Channel, EventData } from "@heliograph/contracts";

type Started = EventData<"SuppressionStarted">;
type Ended = EventData<"SuppressionEnded">;
type ActivePeriod = Started["active"][number];

export type SuppressionReason = Started["reason"];
export type SuppressionEvent =
  | { readonly type: "SuppressionStarted"; readonly data: Started }
  | { readonly type: "SuppressionEnded"; readonly data: Ended };

/** A time in which nothing, or no marketing, is sent to a recipient. `ended` is undefined while it lasts. */
export type SuppressionPeriod = {
  readonly started: Started;
  readonly ended: Ended | undefined;
};
/** What a recipient's stream tells, in the order in which periods began. */
export type Suppression = readonly SuppressionPeriod[];

/**
 * The name of the stream `suppression-<name>` of a recipient, which tells nothing of it to whoever has no naming key, and outlives its erasure. Takes the form of an address that
 * its channel gives.
 */
export const suppressionName = (
  vault: { name(...parts: readonly string[]): string },
  partner: string,
  channel: Channel,
  to: string,
): string => vault.name("suppression", partner, channel, to);

/** Folds a recipient's stream. Other events leave it as it is. */
export function evolveSuppression(
  periods: Suppression | undefined,
  event: SuppressionEvent | { readonly type: string; readonly data: object },
): Suppression {
  const known = periods ?? [];
  if (!isSuppression(event)) return known;
  if (event.type === "SuppressionStarted")
    return [...known, { started: event.data, ended: undefined }];
  const { data } = event;
  return known.map((period) =>
    period.started.suppression_id === data.suppression_id && period.ended === undefined
      ? { ...period, ended: data }
      : period,
  );
}

const isSuppression = (event: { readonly type: string }): event is SuppressionEvent =>
  event.type === "SuppressionStarted" || event.type === "SuppressionEnded";

/** Whether a recipient gets no message of this category while these periods are active, by which of them. */
export const stoppedBy = (
  active: readonly ActivePeriod[],
  category: "transactional" | "marketing" | "authentication",
): ActivePeriod | undefined =>
  active.find(({ applies_to }) => applies_to === "all" || category === "marketing");

const activeOf = (periods: Suppression): readonly ActivePeriod[] =>
  periods
    .filter(({ ended }) => ended === undefined)
    .map(({ started: { suppression_id, applies_to, reason } }) => ({
      id: suppression_id,
      applies_to,
      reason,
    }));

/** The active period that makes another one of the same reason needless: it stops at least as much. */
export const coveredBy = (
  periods: Suppression,
  { reason, applies_to }: Pick<Started, "reason" | "applies_to">,
): SuppressionPeriod | undefined =>
  periods.find(
    ({ started, ended }) =>
      ended === undefined &&
      started.reason === reason &&
      (started.applies_to === "all" || started.applies_to === applies_to),
  );

/** Starts a period unless one of the same reason covers it. Periods of other reasons stand beside it, so that ending one never ends what another cause has stopped. */
export function decideStart(
  periods: Suppression,
  wanted: Omit<Started, "active">,
): readonly SuppressionEvent[] {
  if (coveredBy(periods, wanted) !== undefined) return [];
  const { suppression_id: id, applies_to, reason } = wanted;
  const active = [...activeOf(periods), { id, applies_to, reason }];
  return [{ type: "SuppressionStarted", data: { ...wanted, active } }];
}

/** Ends the active periods that `which` names, each by an event. */
export function decideEnd(
  periods: Suppression,
  which: (started: Started) => boolean,
  how: Pick<Ended, "reason" | "evidence" | "ended_at">,
): readonly SuppressionEvent[] {
  let active = activeOf(periods);
  const events: SuppressionEvent[] = [];
  for (const { started, ended } of periods) {
    if (ended !== undefined || !which(started)) continue;
    const { suppression_id, name, channel } = started;
    active = active.filter(({ id }) => id !== suppression_id);
    events.push({
      type: "SuppressionEnded",
      data: { suppression_id, name, channel, ...how, active: [...active] },
    });
  }
  return events;
}
