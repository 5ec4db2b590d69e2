import { describe, expect, it } from "vitest";
import { defaultPriceList, priceFor, type PriceList } from "@heliograph/domain";

describe("a price", () => {
  it("is that of the contract's example for WhatsApp to +1", () => {
    expect(priceFor(defaultPriceList, "whatsapp", "15551234567", "US", 1)).toEqual({
      micros: 12_000n,
      cost: "0.012",
      detail: { list: "standard", version: 1, country: "US", per_segment: "0.012" },
    });
  });

  it("is multiplied by the segments", () => {
    expect(priceFor(defaultPriceList, "sms", "15551234567", "US", 3)?.cost).toBe("0.0237");
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
    const cost = (digits: string) => priceFor(list, "sms", digits, "001", 1)?.cost;
    expect([cost("18765550001"), cost("15550000001"), cost("4479111"), cost("")]).toEqual([
      "0.02",
      "0.01",
      "0.03",
      "0.03",
    ]);
  });

  it("does not exist where the list has none", () => {
    expect(priceFor({ ...defaultPriceList, entries: [] }, "sms", "1555", "US", 1)).toBeUndefined();
  });

  it("of an ordinary message in the default list is at most 0.012", () => {
    for (const { channel, prefix } of defaultPriceList.entries)
      expect(priceFor(defaultPriceList, channel, prefix, "001", 1)!.micros).toBeLessThanOrEqual(
        12_000n,
      );
  });
});
