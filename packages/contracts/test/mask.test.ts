import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { hasSecret, keyPrefix, makeKey, makeToken, maskSecrets, newSecret } from "../src/index.ts";

const keys = (["live", "sandbox", "admin"] as const).map((kind) => makeKey(kind, randomBytes));
const tokens = (["access", "refresh"] as const).flatMap((kind) =>
  (["live", "sandbox"] as const).map((environment) => makeToken(kind, environment, randomBytes)),
);

test.each([...keys, ...tokens, newSecret()])(
  "of %s no more than its beginning is left",
  (secret) => {
    const around = [
      secret,
      `Bearer ${secret}`,
      `x${secret}"`,
      `?key=${secret}&a=b`,
      `%20${secret}`,
    ];
    const cut = secret.slice(0, -3);
    for (const text of [...around, `${secret}extra`, cut, `${secret} and ${secret}`]) {
      const masked = maskSecrets(text);
      expect(masked).not.toContain(secret.slice(0, 20));
      expect(masked).toContain(secret.startsWith("ak_") ? keyPrefix(secret) : secret.slice(0, 6));
      expect([hasSecret(text), hasSecret(masked)]).toEqual([true, false]);
    }
    const json = JSON.parse(maskSecrets(JSON.stringify({ a: [secret], [secret]: 1 })));
    expect(Object.keys(json)).toHaveLength(2);
  },
);

test.each([
  "",
  "ak_test_",
  "ak_live_7Xq2…",
  "task_testing",
  "whsec_…",
  "as_test_1",
  "key_01HNQX2P8Y",
])("%j is no secret", (text) => {
  expect(maskSecrets(text)).toBe(text);
  expect(hasSecret(text)).toBe(false);
});
