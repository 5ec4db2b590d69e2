import { createHmac, hash } from "node:crypto";

export type S3Request = {
  readonly method: string;
  readonly host: string;
  /** Encoded, from `/`. */
  readonly path: string;
  /** SHA-256 of the body, hexadecimal. */
  readonly sha256: string;
  readonly headers?: Readonly<Record<string, string>>;
};
export type S3Credentials = {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region: string;
};

export const sha256OfNothing = hash("sha256", "", "hex");
const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac("sha256", key).update(text).digest();

/**
 * The headers of a request to S3-compatible storage, signed (AWS Signature Version 4, "Authenticating Requests: Using the Authorization Header"). No query is signed: none is sent.
 */
export function signedHeaders(
  { method, host, path, sha256, headers = {} }: S3Request,
  { accessKey, secretKey, region }: S3Credentials,
  now: Date,
): Readonly<Record<string, string>> {
  const time = now.toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
  const day = time.slice(0, 8);
  const all: Record<string, string> = {
    ...headers,
    host,
    "x-amz-content-sha256": sha256,
    "x-amz-date": time,
  };
  const names = Object.keys(all).toSorted();
  const canonical = [
    method,
    path,
    "",
    ...names.map((name) => `${name}:${all[name]}`),
    "",
    names.join(";"),
    sha256,
  ].join("\n");
  const scope = `${day}/${region}/s3/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", time, scope, hash("sha256", canonical, "hex")].join("\n");
  const key = hmac(hmac(hmac(hmac(`AWS4${secretKey}`, day), region), "s3"), "aws4_request");
  const signature = hmac(key, toSign).toString("hex");
  return {
    ...all,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope},SignedHeaders=${names.join(";")},Signature=${signature}`,
  };
}
