import { newId, parseKey } from "@heliograph/contracts";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { services } from "../src/index.ts";
import { sms } from "./sending.ts";

let world: World;
let partner: { id: string; key: string };
let headsBefore: string;
beforeAll(async () => {
  world = await openWorld({ services });
  partner = await world.addPartner();
  headsBefore = await world.heads();
});
afterAll(async () => {
  await world.close();
});

const post = (options: Parameters<World["call"]>[2]) =>
  world.call("POST", "/api/v1/messages", { key: partner.key, ...options });
const email = { channel: "email", to: "ada@example.com", subject: "Hi", html: "<p>Hi</p>" };
const whatsapp = { channel: "whatsapp", to: "+15551234567" };

const mailStep = { channel: "email", to: "ada@example.com", subject: "Hi", on: ["failed"] };
/** A further step that is refused, and the field of it. */
const refusedStep = (
  what: string,
  step: object,
  path: string,
  code = "invalid_request",
): [string, object, string, string] => [
  `a step with ${what}`,
  {
    ...sms,
    failover: [
      { channel: "whatsapp", on: ["failed"] },
      { ...mailStep, ...step },
    ],
  },
  code,
  `failover.1${path}`,
];
const refusedSteps = [
  refusedStep("an unknown channel", { channel: "fax" }, ".channel"),
  refusedStep("the channel of the message", { channel: "sms" }, ".channel"),
  refusedStep("the channel of a step before", { channel: "whatsapp" }, ".channel"),
  refusedStep("an address of another channel", { to: "+15551234567" }, ".to"),
  refusedStep("the recipient of the message, which is no address", { to: undefined }, ".to"),
  refusedStep("no subject", { subject: undefined }, ".subject"),
  refusedStep(
    "a template that is not there",
    { template: "none", subject: undefined },
    ".template",
    "template_not_found",
  ),
  refusedStep("nothing that it waits for", { on: [] }, ".on"),
  refusedStep("an unknown cause", { on: ["late"] }, ".on.0"),
  refusedStep("no time to wait for a receipt", { on: ["no_receipt"] }, ".after_seconds"),
  refusedStep(
    "a time that is too short",
    { on: ["no_receipt"], after_seconds: 9 },
    ".after_seconds",
  ),
  refusedStep("files", { media: [{ url: "https://x.example/a.png" }] }, ".media"),
  refusedStep(
    "a recipient who opted out",
    { to: "suppressed@example.com" },
    ".to",
    "recipient_suppressed",
  ),
  refusedStep("a sender that is none", { from: "nobody" }, ".from"),
  [
    "a step that waits for a receipt of a broadcast",
    {
      channel: "broadcast",
      to: "news",
      text: "x",
      failover: [{ channel: "sms", to: sms.to, on: ["no_receipt"], after_seconds: 10 }],
    },
    "invalid_request",
    "failover.0.on",
  ],
  [
    "six further steps",
    { ...sms, failover: Array(6).fill(mailStep) },
    "invalid_request",
    "failover",
  ],
  ["no further step", { ...sms, failover: [] }, "invalid_request", "failover"],
] as const satisfies readonly (readonly [string, object, string, string])[];

const night = { from: "21:00", to: "08:00", zone: "UTC", policy: "delay" };
/** From an hour ago to an hour from now. */
function quietNow(): { from: string; to: string } {
  const [from, to] = [-1, 1].map((hours) =>
    new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16),
  );
  return { from: from!, to: to! };
}

/** What is sent, the code it is refused with, and the field that is named. */
const refused: readonly (readonly [string, object, string, string?])[] = [
  ["no recipient", { channel: "sms", text: "Hello" }, "invalid_request", "to"],
  ["a number without a plus", { ...sms, to: "15551230001" }, "invalid_request", "to"],
  ["a number with Arabic digits", { ...sms, to: "+١٥٥٥١٢٣٤٥٦٧" }, "invalid_request", "to"],
  ["a number with a line break", { ...sms, to: "+15551230001\n" }, "invalid_request", "to"],
  ["an address that is none", { ...email, to: "ada@" }, "invalid_request", "to"],
  [
    "an address with a header in it",
    { ...email, to: "ada@example.com\r\nBcc: eve@example.com" },
    "invalid_request",
    "to",
  ],
  ["an unknown field", { ...sms, texts: "x" }, "invalid_request", "texts"],
  ["an unknown channel", { ...sms, channel: "fax" }, "invalid_request", "channel"],
  ["a number as text", { ...sms, text: 5 }, "invalid_request", "text"],
  ["no content", { channel: "sms", to: sms.to }, "invalid_request", "text"],
  ["an SMS with HTML", { ...sms, html: "<p>" }, "invalid_request", "html"],
  [
    "an e-mail without subject",
    { channel: "email", to: "ada@example.com", text: "x" },
    "invalid_request",
    "subject",
  ],
  ["a subject of two lines", { ...email, subject: "a\nBcc: b" }, "invalid_request", "subject"],
  ["a text that is too long", { ...sms, text: "x".repeat(1601) }, "invalid_request", "text"],
  ["variables without a template", { ...sms, variables: {} }, "invalid_request", "variables"],
  ["text and template", { ...whatsapp, text: "x", template: "nope" }, "invalid_request", "text"],
  [
    "a template that is not there",
    { ...whatsapp, template: "nope" },
    "template_not_found",
    "template",
  ],
  [
    "metadata above 2 KB",
    { ...sms, metadata: { a: "x".repeat(2048) } },
    "invalid_request",
    "metadata",
  ],
  [
    "a send_at in the past",
    { ...sms, send_at: "2020-01-01T00:00:00Z" },
    "invalid_request",
    "send_at",
  ],
  [
    "a send_at on a day that is none",
    { ...sms, send_at: `${new Date().getUTCFullYear() + 1}-02-30T12:00:00Z` },
    "invalid_request",
    "send_at",
  ],
  [
    "a send_at without offset",
    { ...sms, send_at: "2099-01-01T00:00:00" },
    "invalid_request",
    "send_at",
  ],
  [
    "a send_at in a year",
    { ...sms, send_at: new Date(Date.now() + 365 * 86_400_000).toISOString() },
    "invalid_request",
    "send_at",
  ],
  ["a priority out of range", { ...sms, priority: 4 }, "invalid_request", "priority"],
  ["a sender that is none", { ...sms, from: "a name that is too long" }, "invalid_request", "from"],
  ["a recipient that opted out", { ...sms, to: "+15551230011" }, "recipient_suppressed", "to"],
  [
    "an address that opted out",
    { ...email, to: "suppressed@example.com" },
    "recipient_suppressed",
    "to",
  ],
  ["a push to a number", { ...sms, channel: "push" }, "invalid_request", "to"],
  ["a Telegram message to a number", { ...sms, channel: "telegram" }, "invalid_request", "to"],
  [
    "a chat that opted out",
    { ...sms, channel: "telegram", to: "88110011" },
    "recipient_suppressed",
    "to",
  ],
  ["a broadcast to a number", { ...sms, channel: "broadcast" }, "invalid_request", "to"],
  ...refusedSteps,
  ...(
    [
      ["without a policy", { policy: undefined }, "quiet_hours.policy"],
      ["at a time that is none", { from: "25:99" }, "quiet_hours.from"],
      ["that last a whole day", { from: "08:00" }, "quiet_hours.to"],
      ["in a zone that is none", { zone: "Europe/Atlantis" }, "quiet_hours.zone"],
      ["in an offset", { zone: "+01:00" }, "quiet_hours.zone"],
      ["that leave no time in the country", { from: "08:01", zone: undefined }, "quiet_hours"],
      ["that it is due in", { ...quietNow(), policy: "reject" }, "quiet_hours"],
      ["that outlast it", quietNow(), "validity_seconds"],
    ] as const
  ).map(([what, hours, path]): [string, object, string, string] => [
    `quiet hours ${what}`,
    { ...sms, validity_seconds: 60, quiet_hours: { ...night, ...hours } },
    "invalid_request",
    path,
  ]),
  ["no media", { ...sms, media: [] }, "invalid_request", "media"],
  [
    "media on SMS",
    { ...sms, media: [{ url: "https://x.example/a.png" }] },
    "invalid_request",
    "media",
  ],
  ["contact_id beside to", { ...sms, contact_id: "cnt_1" }, "invalid_request", "contact_id"],
];

describe("a send is refused, naming the field, with", () => {
  test.for(refused)("%s", async ([, body, code, path]) => {
    const answer = await post({ body });
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.body).toMatchObject({
      code,
      status: answer.status,
      request_id: answer.headers.get("request-id"),
      instance: "/api/v1/messages",
    });
    expect(answer.body.errors.map((error: { path: string }) => error.path)).toContain(path);
    expect(answer.status).toBe(422);
  });
});

describe("a body is refused", () => {
  const cases: readonly (readonly [string, string | Uint8Array<ArrayBuffer>, number, string])[] = [
    ["when it is not JSON", '{"channel":', 400, "malformed_json"],
    ["when it is empty", "", 400, "malformed_json"],
    ["when it is not an object", "[]", 422, "invalid_request"],
    ["when it is null", "null", 422, "invalid_request"],
    ["when it is not UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]), 400, "malformed_json"],
    [
      "with the same key twice",
      '{"channel":"sms","channel":"sms","to":"+15551230001","text":"x"}',
      400,
      "malformed_json",
    ],
    [
      "with the same key twice, once escaped",
      '{"channel":"sms","to":"+15551230001","text":"x","te\\u0078t":"y"}',
      400,
      "malformed_json",
    ],
    [
      "with __proto__",
      '{"channel":"sms","to":"+15551230001","text":"x","__proto__":{"a":1}}',
      422,
      "invalid_request",
    ],
    [
      "with a NUL",
      '{"channel":"sms","to":"+15551230001","text":"a\\u0000b"}',
      422,
      "invalid_request",
    ],
    [
      "with half a surrogate pair",
      '{"channel":"sms","to":"+15551230001","text":"a\\ud800b"}',
      422,
      "invalid_request",
    ],
    [
      "when it is nested deeply",
      `{"metadata":${'{"a":'.repeat(40)}1${"}".repeat(40)}}`,
      400,
      "malformed_json",
    ],
    [
      "with a number that would lose digits",
      '{"channel":"sms","to":"+15551230001","text":"x","metadata":{"n":9007199254740993}}',
      400,
      "malformed_json",
    ],
    ["above 256 KiB", `{"text":"${"x".repeat(300_000)}"}`, 413, "body_too_large"],
  ];
  test.for(cases)("%s", async ([, raw, status, code]) => {
    const answer = await post({ raw });
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  test("when it is null as what it is, also where a body may be left out", async () => {
    const none = await post({ raw: "null" });
    expect(none.body.errors).toMatchObject([{ path: "", message: "must be an object" }]);
    const path = "/api/v1/webhook-endpoints/whe_01HNQX2P8Y9R3T4V5W6Z7A8B9C/test";
    const raw = "null";
    expect((await world.call("POST", path, { key: partner.key, raw })).status).toBe(422);
  });

  test("of another media type, charset or coding", async () => {
    for (const headers of [
      { "content-type": "text/plain" },
      { "content-type": "application/x-www-form-urlencoded" },
      { "content-type": "application/json; charset=latin1" },
      { "content-type": "application/json", "content-encoding": "gzip" },
    ])
      expect((await post({ raw: "{}", headers })).body.code).toBe("unsupported_media_type");
    expect(
      (
        await post({
          body: { ...sms, to: "x" },
          headers: { "content-type": "application/json; charset=UTF-8" },
        })
      ).body.code,
    ).toBe("invalid_request");
  });
});

describe("a key is refused", () => {
  const get = (headers: Record<string, string>) =>
    world.call("GET", "/api/v1/messages/msg_0", { headers });
  test("when it is missing, of another scheme, mistyped or unknown", async () => {
    const missing = await get({});
    expect([missing.status, missing.body.code]).toEqual([401, "authentication_required"]);
    expect(missing.headers.get("www-authenticate")).toContain("Bearer");
    expect((await get({ authorization: "Basic eDp5" })).body.code).toBe("authentication_required");
    const mistyped = partner.key.slice(0, -1) + (partner.key.endsWith("a") ? "b" : "a");
    expect(parseKey(mistyped)).toBeUndefined();
    expect((await get({ authorization: `Bearer ${mistyped}` })).body.code).toBe("invalid_key");
    const { makeKey } = await import("@heliograph/contracts");
    const unknown = makeKey("sandbox", () => new Uint8Array(64).fill(7));
    expect((await get({ authorization: `Bearer ${unknown}` })).body.code).toBe("invalid_key");
  });
  test("when it expired, lacks the scope, or comes from elsewhere", async () => {
    const call = async (options: Parameters<World["addKey"]>[1]) =>
      (
        await world.call("POST", "/api/v1/messages", {
          key: await world.addKey(partner.id, options),
          body: { ...sms, to: "x" },
        })
      ).body;
    expect((await call({ expires_at: "2020-01-01T00:00:00Z" })).code).toBe("key_revoked");
    expect(await call({ scopes: ["messages:read"] })).toMatchObject({
      code: "insufficient_scope",
      required_scope: "messages:write",
    });
    expect((await call({ allowed_cidrs: ["10.0.0.0/8"] })).code).toBe("ip_not_allowed");
    expect((await call({ allowed_cidrs: ["127.0.0.0/8", "::1/128"] })).code).toBe(
      "invalid_request",
    );
    expect((await call({ scopes: ["messages:*"] })).code).toBe("invalid_request");
  });
  test("from the moment it is revoked", async () => {
    const key = await world.addKey(partner.id);
    const { hash } = await import("node:crypto");
    const record = world.platform.directory.key(hash("sha256", key, "hex"))!;
    const body = { ...sms, to: "x" };
    expect((await world.call("POST", "/api/v1/messages", { key, body })).status).toBe(422);
    await world.appendPlatform(`key-${record.key_id.slice(4)}`, "any", "KeyRevoked", {
      key_id: record.key_id,
      partner_id: partner.id,
    });
    expect((await world.call("POST", "/api/v1/messages", { key, body })).body.code).toBe(
      "key_revoked",
    );
  });
});

test("a live send without a gateway is refused", async () => {
  await world.fund(partner.id, "1000", "live");
  headsBefore = await world.heads();
  const key = await world.addKey(partner.id, { environment: "live" });
  const answer = await post({ key, body: sms });
  expect([answer.status, answer.body.code]).toEqual([422, "channel_not_enabled"]);
});

test("an empty wallet is refused", async () => {
  const poor = await world.addPartner({ funds: "0.001" });
  headsBefore = await world.heads();
  const answer = await post({ key: poor.key, body: sms });
  expect([answer.status, answer.body.code]).toEqual([402, "insufficient_funds"]);
});

test("an address with a NUL character is refused before it reaches a database", async () => {
  for (const address of [
    "messages?to=%00",
    "messages?tag=a%00b",
    "messages?metadata[k]=%00",
    "messages/%00",
  ]) {
    const answer = await world.call("GET", `/api/v1/${address}`, { key: partner.key });
    expect([answer.status, answer.body.code]).toEqual([422, "invalid_request"]);
    expect(answer.body.errors[0].path).toBe(/\?([^=]+)/.exec(address)?.[1] ?? "");
  }
});

test("a query that names __proto__ is refused, not passed over", async () => {
  for (const path of ["messages", "keys", "events"]) {
    const answer = await world.call("GET", `/api/v1/${path}?__proto__=1`, { key: partner.key });
    expect([answer.status, answer.body.errors?.[0].path]).toEqual([422, "__proto__"]);
  }
});

test("an address that is not there is 404 and a method that is not there 405 with Allow", async () => {
  expect((await world.call("GET", "/api/v1/nothing")).body).toMatchObject({ code: "not_found" });
  expect((await world.call("GET", "/api/v1/messages/%ff", { key: partner.key })).status).toBe(404);
  const answer = await world.call("DELETE", "/api/v1/messages", { key: partner.key });
  expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD, POST"]);
});

test("too many requests are refused with the time to wait, and the headers count down", async () => {
  const limited = await world.addPartner({ rateLimit: { requests: 3, window_seconds: 60 } });
  headsBefore = await world.heads();
  const answers = [];
  for (let index = 0; index < 4; index++)
    answers.push(await post({ key: limited.key, body: { ...sms, to: "x" } }));
  expect(answers.map((answer) => answer.status)).toEqual([422, 422, 422, 429]);
  expect(answers[0]!.headers.get("ratelimit-policy")).toBe('"requests";q=3;w=60');
  expect(answers.map((answer) => answer.headers.get("ratelimit")?.split(";")[1])).toEqual([
    "r=2",
    "r=1",
    "r=0",
    "r=0",
  ]);
  expect(Number(answers[3]!.headers.get("retry-after"))).toBeGreaterThan(15);
  expect(answers[3]!.body.code).toBe("rate_limited");
});

test("request ids are taken when they are sane and made when they are not", async () => {
  const id = newId("req");
  expect((await post({ body: {}, headers: { "request-id": id } })).headers.get("request-id")).toBe(
    id,
  );
  for (const bad of ["a b", "x".repeat(200), 'a"b'])
    expect(
      (await post({ body: {}, headers: { "request-id": bad } })).headers.get("request-id"),
    ).toMatch(/^req_[0-9a-f]{32}$/);
});

test("nothing that was refused left anything in a log", async () => {
  expect(await world.heads()).toBe(headsBefore);
});
