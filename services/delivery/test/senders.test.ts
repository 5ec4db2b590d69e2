import type { GatewayConfig } from "@heliograph/gateways";
import { expect, test } from "vitest";
import { maxSenders, sendersOf } from "../src/callbacks/interpret.ts";

test("what a mail answers is looked for at so many gateways at most, and first at those of the domain that it came to", () => {
  const alike = Array.from({ length: 500 }, (_, index) => ({
    name: `mail-${index}`,
    kind: "smtp",
    settings: { url: "smtp://mx.example", from: `shop@${index < 490 ? "one" : "two"}.example` },
  })) as unknown as readonly GatewayConfig[];
  const found = sendersOf("mail-7", alike, "two.example");
  expect(found).toHaveLength(maxSenders);
  expect(found.slice(0, 3)).toEqual(["mail-7", "mail-490", "mail-491"]);
  expect(new Set(found).size).toBe(maxSenders);
});
