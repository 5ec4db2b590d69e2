import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { newSecret, openSecret, sealSecret } from "../src/seal.ts";

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
