import { describe, expect, it } from "vitest";
import type { Channel } from "@heliograph/contracts";
import { defaultPriceList, priceFor, type PriceList, type PriceQuery } from "@heliograph/domain";

const ask = (channel: Channel, digits: string): PriceQuery => ({
  channel,
  digits,
  country: "US",
  segments: 1,
  category: "transactional",
});

describe("a price", () => {
  it("is that of the contract's example for WhatsApp to +1", () => {
    expect(priceFor(defaultPriceList, ask("whatsapp", "15551234567"))).toEqual({
      micros: 12_000n,
      cost: "0.012",
      entry: { channel: "whatsapp", prefix: "1", per_segment: "0.012" },
      detail: { list: "standard", version: 1, country: "US", per_segment: "0.012" },
    });
  });

  it("is multiplied by the segments", () => {
    expect(priceFor(defaultPriceList, { ...ask("sms", "15551234567"), segments: 3 })?.cost).toBe(
      "0.0237",
    );
  });

  it("is that of the longest prefix", () => {
    const list: PriceList = {
      ...defaultPriceList,
      entries: [
        { channel: "sms", prefix: "", per_segment: "0.03" },
        { channel: "sms", prefix: "1", per_segment: "0.01" },
        { channel: "sms", prefix: "1876", per_segment: "0.02" },
      ],
    };
    const cost = (digits: string) => priceFor(list, ask("sms", digits))?.cost;
    expect([cost("18765550001"), cost("15550000001"), cost("4479111"), cost("")]).toEqual([
      "0.02",
      "0.01",
      "0.03",
      "0.03",
    ]);
  });

  it("does not exist where the list has none", () => {
    expect(priceFor({ ...defaultPriceList, entries: [] }, ask("sms", "1555"))).toBeUndefined();
  });

  it("of an ordinary message in the default list is at most 0.012", () => {
    for (const { channel, prefix } of defaultPriceList.entries)
      expect(priceFor(defaultPriceList, ask(channel, prefix))!.micros).toBeLessThanOrEqual(12_000n);
  });
});
