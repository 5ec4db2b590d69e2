import { addTo, bucketOf, type Sketch, statusRank } from "@heliograph/domain";
import type { Life } from "./life.ts";

/** The tables, one for each length of time that a row stands for. `at` of a row is the number of such times since 1970 UTC, so no zone of a server or session can move a border. */
export const grains = ["hours", "days"] as const;
export type Grain = (typeof grains)[number];
const hoursPerDay = 24;

/**
 * Whose row it is. A message is in one narrow row of its hour and its day, for what is asked most, and in one wide row, which tells its country and template too: a hundred times as many. For
 * each of its tags it is in one more of either width, so no total may be made of those; one without tags is in a narrow row of its own for the same questions.
 */
export const kinds = {
  narrow: 0,
  untagged: 1,
  tagged: 2,
  tag: 3,
  narrowUntagged: 4,
  narrowTag: 5,
} as const;

export type RowKey = {
  readonly grain: Grain;
  readonly partner: string;
  readonly at: number;
  readonly kind: number;
  /** "" of a row that is no tag's. */
  readonly tag: string;
  readonly channel: string;
  readonly country: string;
  readonly template: string;
  readonly gateway: string;
  readonly status: number;
  readonly currency: string;
};

/** What messages come to; of a batch, what they come to more or less. */
export type Sum = {
  messages: number;
  segments: number;
  costMicros: bigint;
  readonly toSent: Sketch;
  readonly toDelivered: Sketch;
};

export const newSum = (): Sum => ({
  messages: 0,
  segments: 0,
  costMicros: 0n,
  toSent: new Map(),
  toDelivered: new Map(),
});

/** The row of a table, in memory: what a batch changes is added, and the row is then written whole. */
export type Row = Sum & {
  readonly key: RowKey;
  /** Whether it is in the table: a row of no messages is not. */
  stored: boolean;
};

export const newRow = (key: RowKey): Row => ({ key, stored: false, ...newSum() });

export const nameOf = (key: RowKey): string =>
  `${key.grain}\u001f${key.partner}\u001f${key.at}\u001f${key.kind}\u001f${key.tag}\u001f${key.channel}\u001f${key.country}\u001f${key.template}\u001f${key.gateway}\u001f${key.status}\u001f${key.currency}`;

/** The rows in which a message counts as it is now. */
export function keysOf(life: Life): readonly RowKey[] {
  const { partner, hour, channel, country, template, gateway, currency, tags } = life;
  const status = statusRank(life.status);
  const keys: RowKey[] = [];
  for (const grain of grains) {
    const at = grain === "hours" ? hour : Math.floor(hour / hoursPerDay);
    const common = { grain, partner, at, channel, gateway, status, currency };
    const wide = (kind: number, tag: string): RowKey => ({
      ...common,
      kind,
      tag,
      country,
      template,
    });
    const narrow = (kind: number, tag: string): RowKey => ({
      ...common,
      kind,
      tag,
      country: "",
      template: "",
    });
    keys.push(narrow(kinds.narrow, ""));
    if (tags.length === 0) keys.push(narrow(kinds.narrowUntagged, ""));
    for (const tag of tags) keys.push(narrow(kinds.narrowTag, tag));
    keys.push(wide(tags.length === 0 ? kinds.untagged : kinds.tagged, ""));
    for (const tag of tags) keys.push(wide(kinds.tag, tag));
  }
  return keys;
}

/** Names all rows in which a message counts as it is now: lives of one place have the same keys, so what they come to is summed before those are looked at. */
export const placeOf = (life: Life): string =>
  `${life.partner}\u001f${life.hour}\u001f${life.channel}\u001f${life.country}\u001f${life.template}\u001f${life.gateway}\u001f${life.status}\u001f${life.currency}\u001f${
    // A tag may hold any character, so only in quotes it is plain where one ends.
    life.tags.length === 0 ? "" : JSON.stringify(life.tags)
  }`;

/** Counts a message, or takes it out with -1. */
export function count(sum: Sum, life: Life, times: 1 | -1): void {
  sum.messages += times;
  sum.segments += times * life.segments;
  if ((life.hold === "captured" || life.hold === "kept") && !life.isWrittenOff)
    sum.costMicros += BigInt(times) * life.price;
  if (life.acceptedToSentMs !== undefined)
    addTo(sum.toSent, bucketOf(life.acceptedToSentMs), times);
  if (life.sentToDeliveredMs !== undefined)
    addTo(sum.toDelivered, bucketOf(life.sentToDeliveredMs), times);
}

/** What comes and goes within one batch changes no row. */
export const isNothing = (sum: Sum): boolean =>
  sum.messages === 0 &&
  sum.segments === 0 &&
  sum.costMicros === 0n &&
  sum.toSent.size === 0 &&
  sum.toDelivered.size === 0;

export function addSum(row: Row, sum: Sum): void {
  row.messages += sum.messages;
  row.segments += sum.segments;
  row.costMicros += sum.costMicros;
  for (const [bucket, times] of sum.toSent) addTo(row.toSent, bucket, times);
  for (const [bucket, times] of sum.toDelivered) addTo(row.toDelivered, bucket, times);
}
