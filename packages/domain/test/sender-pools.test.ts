import { expect, test } from "vitest";
import { defaultPool, isCarried, namedPool, type SenderPool } from "../src/index.ts";

const gateway = (gateway_id: string, countries: readonly string[], enabled = true) => ({
  gateway_id,
  countries: [...countries],
  enabled,
});
const pool = (pool_id: string, gateway_id: string): SenderPool => ({
  pool_id,
  environment: "live",
  name: "carrier",
  channel: "sms",
  gateway_id,
  senders: ["SHOP"],
  inboxes: ["SHOP"],
  default: false,
  configured_at: "2026-01-01T00:00:00.000Z",
});

test("of several gateways' pools with one name it is that of one which carries the message", () => {
  const pools = [pool("spl_1", "poland"), pool("spl_2", "france")];
  const gateways = [gateway("poland", ["PL"]), gateway("france", ["FR"])];
  const found = (sender_pool: string, country: string) =>
    namedPool(pools, { channel: "sms", sender_pool }, gateways, "ptn_1", country)?.pool_id;
  expect(["PL", "FR"].map((country) => found("carrier", country))).toEqual(["spl_1", "spl_2"]);
  // Named exactly it is meant, whether or not it can be had; so that the refusal says which.
  expect(found("spl_1", "FR")).toBe("spl_1");
  expect(found("carrier", "DE")).toBe("spl_1");
  expect(found("none", "PL")).toBeUndefined();
});

test("a pool whose gateway is switched off is waited for by whoever names it, and is nobody's default meanwhile", () => {
  const gateways = [gateway("off", ["PL"], false), gateway("on", ["PL"])];
  const [off, on] = [pool("spl_1", "off"), pool("spl_2", "on")];
  const asked = { channel: "sms", sender_pool: "carrier" } as const;
  const found = (pools: readonly SenderPool[]) =>
    namedPool(pools, asked, gateways, "ptn_1", "PL")?.pool_id;
  expect(found([off])).toBe("spl_1");
  expect(found([off, on])).toBe("spl_2");
  expect(isCarried(off, gateways, "ptn_1", "PL")).toBe(true);
  expect(isCarried(off, gateways, "ptn_1", "FR")).toBe(false);
  const pools = [off, on].map((each) => ({ ...each, default: true }));
  const chosen = defaultPool(pools, { channel: "sms" }, gateways, "ptn_1", "PL");
  expect(chosen?.pool_id).toBe("spl_2");
});
