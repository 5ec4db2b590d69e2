import { createHmac, randomBytes } from "node:crypto";
import type { Request } from "express";
import { expect, test } from "vitest";
import { applyOnBehalf, onBehalfHeader, onBehalfOf } from "../src/on-behalf.ts";

const masterKey = randomBytes(32);
const now = 1_780_000_000_000;
const seen = (value: string | undefined, at = now): string | undefined => {
  const request = { headers: { [onBehalfHeader]: value }, ip: "127.0.0.1" } as unknown as Request;
  applyOnBehalf(masterKey, request, at);
  return request.ip;
};

test("who holds the master key says for whom it calls, for five minutes", () => {
  const value = onBehalfOf(masterKey, "2001:db8::1", now);
  expect(seen(value)).toBe("2001:db8::1");
  expect(seen(value, now + 299_000)).toBe("2001:db8::1");
  expect(seen(value, now + 301_000)).toBe("127.0.0.1");
  expect(seen(value, now - 301_000)).toBe("127.0.0.1");
});

test("without a right proof nothing is believed", () => {
  const [, time, proof] = onBehalfOf(masterKey, "192.0.2.1", now).split(" ");
  const other = createHmac("sha256", randomBytes(32)).update("x").digest("base64url");
  for (const value of [
    undefined,
    "",
    "192.0.2.2",
    `192.0.2.2 ${time} ${proof}`,
    `192.0.2.1 ${now + 1} ${proof}`,
    `192.0.2.1 ${time} ${other}`,
    `192.0.2.1 ${time}`,
    `192.0.2.1 NaN ${proof}`,
    onBehalfOf(randomBytes(32), "192.0.2.1", now),
  ])
    expect(seen(value)).toBe("127.0.0.1");
});
