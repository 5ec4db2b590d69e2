import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { CallbackRequest, Verdict } from "../callbacks.ts";

/**
 * Whether Twilio sent a request (https://www.twilio.com/docs/usage/security#validating-requests): base64 of the HMAC-SHA1 of the URL as it is configured there, with each field of a form behind it, name and
 * value, sorted by name. A body that is no form is signed by its SHA-256 in the query. Twilio signs with or without the standard port, whichever its configuration has: both are taken.
 */
export function verifyTwilio({ url, headers, body }: CallbackRequest, authToken: string): Verdict {
  const given = Buffer.from(headers["x-twilio-signature"] ?? "", "base64");
  const hashed = new URL(url).searchParams.get("bodySHA256");
  if (hashed !== null && !isSame(Buffer.from(hashed, "hex"), createHash("sha256").update(body)))
    return { kind: "forged" };
  const fields = hashed === null ? signedFields(body) : "";
  // Every form is tried, so that the time tells nothing.
  const matching = urlForms(url).filter((form) =>
    isSame(given, createHmac("sha1", authToken).update(form + fields, "utf8")),
  );
  return { kind: matching.length > 0 ? "genuine" : "forged" };
}

function isSame(given: Buffer, expected: { digest(): Buffer }): boolean {
  const digest = expected.digest();
  return given.length === digest.length && timingSafeEqual(given, digest);
}

/** Of several values of one name each counts once, in order. In one pass: a stranger who has seen the address may send as many names as a body holds. */
function signedFields(body: Buffer): string {
  const form = new Map<string, Set<string>>();
  for (const [name, value] of new URLSearchParams(body.toString("utf8"))) {
    const values = form.get(name);
    if (values === undefined) form.set(name, new Set([value]));
    else values.add(value);
  }
  return [...form.keys()]
    .toSorted()
    .flatMap((name) => [...form.get(name)!].toSorted().map((value) => name + value))
    .join("");
}

/** The URL as it is, with the standard port and without it; its path and query stay byte for byte. */
function urlForms(url: string): readonly string[] {
  const [, scheme = "", host = "", port, rest = ""] =
    /^(https?):\/\/(\[[^\]]*\]|[^/:?#]*)(:\d+)?([^#]*)/i.exec(url) ?? [];
  const standard = scheme.toLowerCase() === "https" ? ":443" : ":80";
  const written = `${scheme}://${host}${port ?? ""}${rest}`;
  if (port !== undefined && port !== standard) return [written];
  return [`${scheme}://${host}${rest}`, `${scheme}://${host}${standard}${rest}`];
}
