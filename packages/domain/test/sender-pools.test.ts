import { expect, test } from "vitest";
import { namedPool, type SenderPool } from "../src/index.ts";

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
