import {
  formatMoney,
  parseMoney,
  type Channel,
  type EventData,
  type Micros,
} from "@heliograph/contracts";

export type PriceList = EventData<"PriceListPublished">;
export type Price = {
  readonly micros: Micros;
  /** The same as text, as events and answers carry it. */
  readonly cost: string;
  readonly detail: EventData<"MessageRequested">["price"];
};

/** Longest prefix an entry may have, so that a look-up is at most nine probes. */
const MAX_PREFIX_DIGITS = 8;
type Compiled = ReadonlyMap<string, { readonly micros: Micros; readonly text: string }>;
const compiled = new WeakMap<PriceList, Compiled>();

function compile(list: PriceList): Compiled {
  let table = compiled.get(list);
  if (table !== undefined) return table;
  table = new Map(
    list.entries.map(({ channel, prefix, per_segment }) => {
      const micros = parseMoney(per_segment);
      if (micros === undefined || micros < 0n)
        throw new Error(`price list ${list.list}: "${per_segment}" is no price`);
      return [`${channel}:${prefix}`, { micros, text: formatMoney(micros) }];
    }),
  );
  compiled.set(list, table);
  return table;
}

/**
 * The price of a message: the entry of the channel with the longest prefix of `digits` (the number without plus; "" where there is
 * no number), times its segments. `country` goes into the detail. Undefined when the list has no price for the channel.
 */
export function priceFor(
  list: PriceList,
  channel: Channel,
  digits: string,
  country: string,
  segments: number,
): Price | undefined {
  const table = compile(list);
  for (let length = Math.min(MAX_PREFIX_DIGITS, digits.length); length >= 0; length--) {
    const entry = table.get(`${channel}:${digits.slice(0, length)}`);
    if (entry === undefined) continue;
    const micros = segments === 1 ? entry.micros : entry.micros * BigInt(segments);
    return {
      micros,
      cost: segments === 1 ? entry.text : formatMoney(micros),
      detail: { list: list.list, version: list.version, country, per_segment: entry.text },
    };
  }
  return undefined;
}

/** The list that prices: the one that is published, else the built-in one. */
export const currentPrices = (directory: {
  prices(list?: string): PriceList | undefined;
}): PriceList => directory.prices() ?? directory.prices(defaultPriceList.list) ?? defaultPriceList;

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
