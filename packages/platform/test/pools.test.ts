import { expect, test } from "vitest";
import { foldPool, poolsOf, type SenderPool } from "../src/directory/pools.ts";

const pool = (pool_id: string, name: string): SenderPool => ({
  pool_id,
  environment: "live",
  name,
  channel: "sms",
  gateway_id: `gateway of ${pool_id}`,
  senders: ["SHOP"],
  inboxes: ["SHOP"],
  default: true,
  configured_at: "2026-01-01T00:00:00.000Z",
});

test("which of two pools with one name comes first does not change when one is edited", () => {
  const pools = new Map<string, readonly SenderPool[]>();
  const configure = (each: SenderPool) => {
    foldPool(pools, { type: "SenderPoolConfigured", data: each });
    return poolsOf(pools, "live", "ptn_1").map(({ pool_id }) => pool_id);
  };
  const all = [pool("spl_2", "carrier"), pool("spl_1", "carrier"), pool("spl_3", "a")];
  expect(all.map(configure).at(-1)).toEqual(["spl_3", "spl_1", "spl_2"]);
  for (const each of all) expect(configure(each)).toEqual(["spl_3", "spl_1", "spl_2"]);
});
