import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { CallbackRequest, Verdict } from "../callbacks.ts";

/** Twilio's longest forms have some fifty. A stranger who has seen the address could send 300,000, and sorting them held the process up for minutes. */
const maxFields = 1_000;

/**
 * Whether Twilio sent a request (https://www.twilio.com/docs/usage/security#validating-requests): base64 of the HMAC-SHA1 of the URL as it is configured there, with each field of a form behind it, name and
 * value, sorted by name. A body that is no form is signed by its SHA-256 in the query. Twilio signs with or without the standard port, whichever its configuration has: both are taken.
 */
export function verifyTwilio({ url, headers, body }: CallbackRequest, authToken: string): Verdict {
  const given = Buffer.from(headers["x-twilio-signature"] ?? "", "base64");
  const hashed = new URL(url).searchParams.get("bodySHA256");
  if (hashed !== null && !isSame(Buffer.from(hashed, "hex"), createHash("sha256").update(body)))
    return { kind: "forged" };
  const text = hashed === null ? body.toString("utf8") : "";
  if (text.split("&", maxFields + 1).length > maxFields) return { kind: "forged" };
  const fields = signedFields(text);
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

/** Of several values of one name each counts once, in order. */
function signedFields(body: string): string {
  const form = new URLSearchParams(body);
  return [...new Set(form.keys())]
    .toSorted()
    .flatMap((name) => [...new Set(form.getAll(name))].toSorted().map((value) => name + value))
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
