import { expect, it } from "vitest";
import { decideRevoke, type KeyState } from "../src/decide-revoke.ts";

const key = {
  key_id: "key_1",
  partner_id: "ptn_1",
  environment: "live",
  revoked: false,
} as KeyState;
const live = { partner: "ptn_1", environment: "live" } as const;

it("revokes a key once", () => {
  const data = { key_id: "key_1", partner_id: "ptn_1" };
  expect(decideRevoke(key, live)).toEqual({ events: [{ type: "KeyRevoked", data }] });
  expect(decideRevoke({ ...key, revoked: true }, live)).toEqual({ events: [] });
});

it("does not find another partner's key, nor a live one for a sandbox key", () => {
  const missing = { refusal: "not_found" };
  expect(decideRevoke(undefined, live)).toEqual(missing);
  expect(decideRevoke(key, { ...live, partner: "ptn_2" })).toEqual(missing);
  expect(decideRevoke(key, { ...live, environment: "sandbox" })).toEqual(missing);
});
