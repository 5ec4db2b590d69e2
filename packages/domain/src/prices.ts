import {
  formatMoney,
  parseMoney,
  type Channel,
  type EventData,
  type MessageCategory,
  type Micros,
  accountOf,
} from "@heliograph/contracts";

export type PriceList = EventData<"PriceListPublished">;
export type Price = {
  readonly micros: Micros;
  /** The same as text, as events and answers carry it. */
  readonly cost: string;
  readonly detail: EventData<"MessageRequested">["price"];
  /** The entry that decided. */
  readonly entry: PriceList["entries"][number];
};

/** Longest prefix an entry may have, so that a look-up is at most nine probes. */
export const maxPrefixDigits = 8;
type Entry = PriceList["entries"][number];
/** What a price is asked for. `digits`: the number without plus; "" where there is no number. `country` goes into the detail. */
export type PriceQuery = {
  readonly channel: Channel;
  readonly digits: string;
  readonly country: string;
  readonly segments: number;
  readonly category: MessageCategory;
};
type Candidate = { readonly micros: Micros; readonly text: string; readonly entry: Entry };
type Compiled = ReadonlyMap<string, readonly Candidate[]>;
const compiled = new WeakMap<PriceList, Compiled>();

/** Of one prefix, the entry that says more comes first: its category, then its least number of segments. */
const bySpecificity = (left: Candidate, right: Candidate): number =>
  Number(right.entry.category !== undefined) - Number(left.entry.category !== undefined) ||
  (right.entry.min_segments ?? 1) - (left.entry.min_segments ?? 1);

function compile(list: PriceList): Compiled {
  let table = compiled.get(list);
  if (table !== undefined) return table;
  const candidates = list.entries.map((entry): Candidate => {
    const micros = parseMoney(entry.per_segment);
    if (micros === undefined || micros < 0n)
      throw new Error(`price list ${list.list}: "${entry.per_segment}" is no price`);
    return { micros, text: formatMoney(micros), entry };
  });
  table = Map.groupBy(
    candidates.toSorted(bySpecificity),
    ({ entry }) => `${entry.channel}:${entry.prefix}`,
  );
  compiled.set(list, table);
  return table;
}

/**
 * The price of a message: of the channel's entries that fit it, that with the longest prefix of its number, never the cheapest or the first; times its segments.
 * Undefined when no entry fits: what has no price is not free.
 */
export function priceFor(list: PriceList, query: PriceQuery): Price | undefined {
  const { channel, digits, segments } = query;
  const table = compile(list);
  for (let length = Math.min(maxPrefixDigits, digits.length); length >= 0; length--) {
    const found = table
      .get(`${channel}:${digits.slice(0, length)}`)
      ?.find(({ entry }) => fits(entry, query));
    if (found === undefined) continue;
    const { micros: each, text, entry } = found;
    const micros = segments === 1 ? each : each * BigInt(segments);
    return {
      micros,
      cost: segments === 1 ? text : formatMoney(micros),
      entry,
      detail: { list: list.list, version: list.version, country: query.country, per_segment: text },
    };
  }
  return undefined;
}

const fits = ({ category, min_segments }: Entry, query: PriceQuery): boolean =>
  (category === undefined || category === query.category) &&
  (min_segments === undefined || min_segments <= query.segments);

/** The part of the directory that says what is priced how. */
export type PriceDirectory = {
  /** The version of the list, `standard` when none is named, that is in force at a time (epoch milliseconds). */
  prices(list: string | undefined, atMs: number): PriceList | undefined;
  /** The list that was assigned to a partner. */
  priceListOf(partner: string): string | undefined;
};

/**
 * The list that prices what a partner sends: the one assigned to it, in whatever currency that is; else the standard one, published or built in. Undefined where the one
 * has no version in force, or the other is not in the partner's currency.
 */
export function pricesOf(
  directory: PriceDirectory,
  partner: { readonly partner_id: string; readonly currency: string },
  atMs: number,
): PriceList | undefined {
  const assigned = directory.priceListOf(accountOf(partner.partner_id));
  if (assigned !== undefined) return directory.prices(assigned, atMs);
  const standard = directory.prices(undefined, atMs) ?? defaultPriceList;
  return standard.currency === partner.currency ? standard : undefined;
}

/** Used until a list is published. Per segment in USD; an empty prefix is every other destination. No one-segment message costs more than 0.012. */
export const defaultPriceList: PriceList = {
  list: "standard",
  version: 1,
  currency: "USD",
  entries: [
    { channel: "sms", prefix: "", per_segment: "0.012" },
    { channel: "sms", prefix: "1", per_segment: "0.0079" },
    { channel: "sms", prefix: "44", per_segment: "0.0096" },
    { channel: "sms", prefix: "91", per_segment: "0.0052" },
    { channel: "whatsapp", prefix: "", per_segment: "0.0118" },
    { channel: "whatsapp", prefix: "1", per_segment: "0.012" },
    { channel: "whatsapp", prefix: "91", per_segment: "0.0085" },
    { channel: "email", prefix: "", per_segment: "0.0004" },
    { channel: "push", prefix: "", per_segment: "0.0001" },
    { channel: "telegram", prefix: "", per_segment: "0.0005" },
    { channel: "broadcast", prefix: "", per_segment: "0.001" },
  ],
  published_at: "2026-01-01T00:00:00.000Z",
};
