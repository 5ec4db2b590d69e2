import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { keysOf, masterKeyOf, newSecret, openSecret, sealSecret } from "../src/seal.ts";

const key = randomBytes(32);

it("gives back what was sealed and never the same sealed text twice", () => {
  const secret = newSecret();
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(openSecret(key, sealSecret(key, secret))).toBe(secret);
  expect(sealSecret(key, secret)).not.toBe(sealSecret(key, secret));
});

it("refuses a changed text, another key and other forms", () => {
  const sealed = sealSecret(key, "whsec_x");
  const changed = sealed.slice(0, 10) + (sealed[10] === "A" ? "B" : "A") + sealed.slice(11);
  expect(() => openSecret(key, changed)).toThrow();
  expect(() => openSecret(randomBytes(32), sealed)).toThrow();
  expect(() => openSecret(key, "v1.AAAA")).toThrow("too short");
  expect(() => openSecret(key, "plain")).toThrow("begins with v1.");
});

it("opens with either key of a rotation, seals with the first, and neither of the two stands for both", () => {
  const next = randomBytes(32);
  const both = masterKeyOf(next, key);
  expect(openSecret(both, sealSecret(key, "whsec_x"))).toBe("whsec_x");
  expect(openSecret(next, sealSecret(both, "whsec_x"))).toBe("whsec_x");
  for (const [own, other] of [keysOf(both), keysOf(both).toReversed()] as [Buffer, Buffer][])
    expect(() => openSecret(own, sealSecret(other, "whsec_x"))).toThrow();
});
