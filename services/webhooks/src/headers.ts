import { openSecret, sealSecret } from "@heliograph/contracts";
import type { Endpoint } from "@heliograph/domain";

export type Headers = Readonly<Record<string, string>>;

const ours = [
  "content-.*",
  "transfer-encoding",
  "user-agent",
  "host",
  "connection",
  "keep-alive",
  "upgrade",
  "http2-settings",
  "te",
  "trailer",
  "expect",
  "proxy-.*",
  "accept-encoding",
  "webhook-.*",
  "heliograph-.*",
  "traceparent",
];
const reserved = new RegExp(`^(?:${ours.join("|")})$`, "i");
const token = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/; // RFC 9110, section 5.6.2
const visible = /^[\x21-\x7e](?:[\x20-\x7e\t]{0,1022}[\x21-\x7e])?$/;

/** Why an endpoint cannot have a header of this name, or undefined. Ours (the signature's and the client's) and those that steer the connection are refused. */
export function nameFault(name: string): string | undefined {
  if (!token.test(name)) return "is not a header name";
  return reserved.test(name) ? "is set by Heliograph" : undefined;
}

/** Why a header cannot have this value, or undefined. */
export const valueFault = (value: string): string | undefined =>
  visible.test(value) ? undefined : "must be 1 to 1024 visible ASCII characters on one line";

/** Together: many receivers take a head of 8 KiB, and ours and the URL stand in it too. */
const maxTogether = 4_096;

/** Why an endpoint cannot have these headers together, or undefined. */
export function sumFault(headers: Headers): string | undefined {
  const length = Object.entries(headers).reduce((sum, entry) => sum + entry.join("").length, 0);
  return length > maxTogether
    ? `at most ${maxTogether} characters together, names and values`
    : undefined;
}

/** A timestamped signature stands in a header of its own: a receiver takes the first of two. */
export const clashes = (headers: Headers, name: string | null | undefined): boolean =>
  Object.keys(headers).some((own) => own.toLowerCase() === name?.toLowerCase());

/** A partner's headers may hold a password of its receiver: events and tables have them sealed. Undefined where there are none. */
export const sealHeaders = (masterKey: Buffer, headers: Headers): string | undefined =>
  Object.keys(headers).length === 0 ? undefined : sealSecret(masterKey, JSON.stringify(headers));

/** The headers in plain. Throws where they were sealed with another master key. */
export const headersOf = (endpoint: Endpoint, masterKey: Buffer): Headers =>
  endpoint.sealed_headers === undefined
    ? endpoint.headers
    : (JSON.parse(openSecret(masterKey, endpoint.sealed_headers)) as Headers);

/** What answers show instead of a value. A change that gives it back keeps the value there is. */
export const mask = "***";
export const masked = (headers: Headers): Headers =>
  Object.fromEntries(Object.keys(headers).map((name) => [name, mask]));

/** The headers that a change asks for: a name with the mask keeps its value. `unknown` are masks of names that have none. */
export function unmasked(
  wanted: Headers,
  known: Headers,
): { readonly headers: Headers; readonly unknown: readonly string[] } {
  const values = new Map(Object.entries(known).map(([name, value]) => [name.toLowerCase(), value]));
  const kept = Object.entries(wanted).map(([name, value]): [string, string | undefined] => [
    name,
    value === mask ? values.get(name.toLowerCase()) : value,
  ]);
  return {
    headers: Object.fromEntries(
      kept.filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
    unknown: kept.filter(([, value]) => value === undefined).map(([name]) => name),
  };
}
