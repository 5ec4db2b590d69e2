import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { openText, packId, sealText, tokenKey } from "../src/token.ts";

const uuid = "0190a5c4-7b1d-7c3e-8f00-0123456789ab";
const packed = Buffer.from(uuid.replaceAll("-", ""), "hex").toString("base64url");
const key = createSecretKey(Buffer.alloc(32, 7));
const sealing = tokenKey(packId(uuid), key);
const text = 'Zoë "x"\n用户';

test("a token is the key's id, a nonce, the ciphertext and its tag, as version 1 says, whoever wrote it", () => {
  const nonce = Buffer.alloc(12, 3);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(packed));
  const parts = [nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()];
  const written = `sealed:v1.${packed}.${Buffer.concat(parts).toString("base64url")}`;
  expect(openText(sealing, written)).toBe(text);

  const [version, id, blob] = sealText(sealing, text).split(".");
  expect([version, id]).toEqual(["sealed:v1", packed]);
  const bytes = Buffer.from(blob!, "base64url");
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12))
    .setAAD(Buffer.from(packed))
    .setAuthTag(bytes.subarray(-16));
  expect(decipher.update(bytes.subarray(12, -16), undefined, "utf8") + decipher.final("utf8")).toBe(
    text,
  );
});

test("no nonce comes twice, and an empty and a long text come back", () => {
  const tokens = Array.from({ length: 2_000 }, () => sealText(sealing, text));
  const nonces = tokens.map((token) => token.split(".")[2]!.slice(0, 16));
  expect(new Set(nonces).size).toBe(tokens.length);
  for (const each of ["", randomBytes(100_000).toString("base64")])
    expect(openText(sealing, sealText(sealing, each))).toBe(each);
});
