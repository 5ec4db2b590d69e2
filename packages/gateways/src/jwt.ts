import { sign, type KeyObject } from "node:crypto";

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A JSON Web Token (RFC 7519), signed as RFC 7518 has it: RSASSA-PKCS1-v1_5, or ECDSA on P-256 whose signature is the two numbers and no DER. */
export function signedJwt(
  alg: "RS256" | "ES256",
  key: KeyObject,
  header: Readonly<Record<string, string>>,
  claims: Readonly<Record<string, string | number>>,
): string {
  const text = `${part({ alg, ...header })}.${part(claims)}`;
  const signature = sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" });
  return `${text}.${signature.toString("base64url")}`;
}
