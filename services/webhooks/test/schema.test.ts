import { describe, expect, test } from "vitest";
import { CreateEndpoint } from "../src/api/schema.ts";

/** Where the settings are refused; empty when they are taken. */
const refusedAt = (settings: object): readonly string[] => {
  const { error } = CreateEndpoint.safeParse({ url: "https://example.com/", ...settings });
  return [...new Set((error?.issues ?? []).map(({ path }) => String(path[0])))];
};

/** Headers of 1,024 characters each, names and values. */
const headersOf = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`x-${at}`, "v".repeat(1_021)]));

describe("an endpoint is made", () => {
  test.each([
    [{ event_types: ["message.*", "contact.erased"] }],
    [{ filters: { channels: ["sms"], tags: ["a b"], metadata: { shop: ["a", 5, true], x: "" } } }],
    [{ secret: `whsec_${Buffer.alloc(24, 1).toString("base64")}` }],
    [{ secret: `whsec_${Buffer.alloc(64, 255).toString("base64")}` }],
    [{ headers: headersOf(4) }],
    [{ asymmetric_signature: true, timestamped_signature_header: "X-Acme-Signature" }],
    [{ ordering: "per_subject" }],
    [{ http2: true }],
    [{ batch: {} }],
    [{ batch: { max_events: 100, max_wait_ms: 60_000 } }],
  ])("with %j", (settings) => expect(refusedAt(settings)).toEqual([]));
});

describe("an endpoint is not made", () => {
  test.each([
    "ftp://example.com",
    "example.com/hook",
    "https://example.com/#part",
    `https://example.com/${"a".repeat(2048)}`,
    "javascript:alert(1)",
    "https://example.com:0/",
    "http:example.com",
    "http:\\\\example.com\\x",
    "https://example.com/a\tb",
    "https://example.com/a\nb",
    "  https://example.com/sp  ",
    "https://example.com/a b",
    "https://example.com\\@10.0.0.1/",
  ])("at %j", (url) => expect(refusedAt({ url })).toEqual(["url"]));

  test.each([
    { Host: "a" },
    { "webhook-signature": "a" },
    { "heliograph-replay": "a" },
    { "Heliograph-Anything": "a" },
    { "Proxy-Connection": "a" },
    { "HTTP2-Settings": "a" },
    { "Content-Length": "1" },
    { "X-A": "a\r\nX-B: b" },
    { "X A": "a" },
    { "X-A": "1", "x-a": "2" },
    { "X-A": "" },
    Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`X-${index}`, "a"])),
  ])("with the headers %j", (headers) => expect(refusedAt({ headers })).toEqual(["headers"]));

  test.each(["message", "*", "message.*.sent", "letter.*"])("for the event type %s", (type) =>
    expect(refusedAt({ event_types: [type] })).toEqual(["event_types"]),
  );

  test.each([
    "secret-of-24-bytes-or-more",
    "whsec_",
    `whsec_${Buffer.alloc(23, 1).toString("base64")}`,
    `whsec_${Buffer.alloc(65, 1).toString("base64")}`,
    `whsec_${Buffer.alloc(25, 1).toString("base64").replace(/=+$/, "")}`,
    `whsec_${Buffer.alloc(24, 255).toString("base64url")}`,
    `whsec_ ${Buffer.alloc(24, 1).toString("base64")}`,
    `WHSEC_${Buffer.alloc(24, 1).toString("base64")}`,
  ])("with the secret %s, which no answer repeats", (secret) => {
    expect(refusedAt({ secret })).toEqual(["secret"]);
    const { error } = CreateEndpoint.safeParse({ url: "https://example.com/", secret });
    expect(JSON.stringify(error!.issues)).not.toContain(secret.slice(6) || "whsec_x");
  });

  test.each(["X A", "Host", "webhook-signature", "Heliograph-Signature", "", "a".repeat(65)])(
    "with a timestamped signature in %j",
    (name) =>
      expect(refusedAt({ timestamped_signature_header: name })).toEqual([
        "timestamped_signature_header",
      ]),
  );

  test.each([{ max_events: 0 }, { max_events: 101 }, { max_wait_ms: 49 }, { max_bytes: 1 }])(
    "with the batch %j",
    (batch) => expect(refusedAt({ batch })).toEqual(["batch"]),
  );

  test("with headers that are too long together", () =>
    expect(refusedAt({ headers: headersOf(5) })).toEqual(["headers"]));

  test.each([
    {},
    { channels: [] },
    { channels: ["fax"] },
    { tags: ["a".repeat(65)] },
    { metadata: {} },
    { metadata: { order: null } },
    { metadata: { order: { id: 1 } } },
    { metadata: Object.fromEntries(Array.from({ length: 11 }, (_, at) => [`k${at}`, 1])) },
    { metadata: { order: Array.from({ length: 20 }, (_, at) => `${at}`.padEnd(255, "x")) } },
    { colour: "red" },
  ])("with the filters %j", (filters) => expect(refusedAt({ filters })).toEqual(["filters"]));
});
