import { until, webhookSink, type WebhookSink } from "@heliograph/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { retryAfter } from "../src/call.ts";
import { configured, createGateway, previewOf, readCallback } from "../src/index.ts";
import { attemptOf, configOf, signer, toolsOf } from "./support.ts";

const never = new AbortController().signal;
const { masterKey } = toolsOf();
let sink: WebhookSink;
beforeAll(async () => {
  sink = await webhookSink();
});
afterAll(() => sink.close());

const text = `He said "hi" & <b>left</b>\nat 5 {{to}}`;
const attempt = attemptOf("+15550000001", { content: { text }, from: "Shop" });
const given = (settings: object, secrets: Record<string, string> = {}) =>
  configured(
    configOf({
      environment: "live",
      kind: "http",
      settings: { url: `${sink.url}/`, success: { id: "/id" }, ...settings },
    }),
    secrets,
    masterKey,
  );
async function sent(settings: object, secrets: Record<string, string> = {}) {
  const gateway = createGateway("live", given(settings, secrets), toolsOf());
  const result = await gateway.send(attempt, never);
  await gateway.close();
  return { result, request: sink.requests.at(-1)! };
}
const answer = (status: number, body: unknown) =>
  sink.behave({ type: "answer", status, body: JSON.stringify(body) });

test("what somebody wrote is text in every kind of body, and ends none", async () => {
  answer(200, { id: 7 });
  const object = await sent({ body: { to: ["{{to}}"], n: 1, text: "{{text}}" } });
  expect(JSON.parse(object.request.body)).toEqual({ to: ["+15550000001"], n: 1, text });
  const json = await sent({
    headers: { "Content-Type": "application/json" },
    body: '{"t":"{{text}}"}',
  });
  expect(JSON.parse(json.request.body)).toEqual({ t: text });
  const form = await sent({
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: "to={{to}}&text={{ text }}&x={{unknown}}",
  });
  expect(Object.fromEntries(new URLSearchParams(form.request.body))).toEqual({
    to: "+15550000001",
    text,
    x: "{{unknown}}",
  });
  const xml = await sent({ headers: { "content-type": "text/xml" }, body: "<t>{{text}}</t>" });
  expect(xml.request.body).toContain("&quot;hi&quot; &amp; &lt;b&gt;");
  const url = await sent({ method: "GET", url: `${sink.url}/a/{{from}}?t={{text}}` });
  expect(new URL(url.request.path, sink.url).searchParams.get("t")).toBe(text);
  expect([url.request.method, url.request.body]).toEqual(["GET", ""]);
});

test("a provider that is to continue the trace is told it, and any other is not", async () => {
  answer(200, { id: 7 });
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const received = async (settings: object) => {
    const gateway = createGateway("live", given(settings), toolsOf());
    await gateway.send({ ...attempt, traceparent }, never);
    await gateway.close();
    return sink.requests.at(-1)!;
  };
  const told = await received({ headers: { traceparent: "{{traceparent}}" } });
  expect(told.headers["traceparent"]).toBe(traceparent);
  expect(JSON.stringify(await received({}))).not.toContain(traceparent);
});

test("secret headers go along, in no dry run, and over those of the settings", async () => {
  answer(200, { id: "a" });
  const secrets = { headers: '{"Authorization":"Bearer s3cret"}' };
  const { request } = await sent({ headers: { authorization: "none" }, body: "x" }, secrets);
  expect(request.headers.authorization).toBe("Bearer s3cret");
  const shown = JSON.stringify(previewOf(given({ body: { to: "{{to}}" } }, secrets), attempt));
  expect(shown).toContain("+15550000001");
  expect(shown).not.toContain("s3cret");
});

test("answers mean what is configured, else what their status says; a redirect is not followed", async () => {
  const errors = [
    { match: { status: 200, pointer: "/error", equals: "limit" }, class: "throttled" },
    { match: { pointer: "/error" }, class: "permanent" },
    { match: "out of credit", class: "account" },
  ];
  const outcome = async (status: number, body: unknown) => {
    answer(status, body);
    const { result } = await sent({ errors, success: { status: [200, 202], id: "/m/0/id" } });
    if (result.type === "unavailable") return [result.error.code, result.throttles];
    return result.type === "rejected" ? result.error.code : result.type;
  };
  expect(await outcome(202, { m: [{ id: 12 }] })).toBe("accepted");
  expect(await outcome(200, { error: "limit" })).toEqual(["provider_throttled", "gateway"]);
  expect(await outcome(429, {})).toEqual(["provider_throttled", "gateway"]);
  expect(await outcome(200, { error: "other" })).toBe("provider_rejected");
  expect(await outcome(400, { why: "out of credit" })).toBe("gateway_authentication_failed");
  expect(await outcome(201, { m: [{ id: 12 }] })).toBe("uncertain");
  expect(await outcome(200, { m: [] })).toBe("uncertain");
  expect(await outcome(500, {})).toBe("uncertain");
  const before = sink.requests.length;
  sink.behave({ type: "redirect", to: `${sink.url}/elsewhere` });
  expect((await sent({})).result.type).toBe("rejected");
  expect(sink.requests.length).toBe(before + 1);
});

test("one bad report of a list stops none of the others, and a word that is not mapped changes nothing", async () => {
  const receipts = {
    items: "/list",
    id: "/id",
    status: "/s",
    map: { ok: "delivered", "Content filtered": "bounced" },
    billable: ["Content filtered"],
  };
  const last = { id: "3", s: "Content filtered" };
  const list = [{ id: 1, s: "ok" }, { id: {} }, { id: 2, s: "new" }, null, last];
  const items = await readCallback(
    given({ receipts }),
    {
      url: "",
      headers: {},
      contentType: "application/json",
      body: Buffer.from(JSON.stringify({ list })),
      receivedAt: "2026-05-23T14:22:17Z",
    },
    signer,
  );
  expect(items.map(({ kind }) => kind)).toEqual([
    "report",
    "unreadable",
    "ignored",
    "unreadable",
    "report",
  ]);
  expect(items.at(-1)).toMatchObject({
    report: {
      providerMessageId: "3",
      status: "bounced",
      error: { billable: true, provider: { code: "Content filtered" } },
    },
  });
});

test("a configuration that cannot work is refused by its field", () => {
  const map = { "Content filtered": "undelivered", Zugestellt: "delivered" };
  const receipts = { id: "/a", status: "/b", map };
  for (const [settings, path] of [
    [{ url: "ftp://h/" }, "settings.url"],
    [{ url: "https://{{to}}/" }, "settings.url"],
    [{ url: "https://u:p@h/" }, "settings.url"],
    [{ success: { id: "id" } }, "settings.success.id"],
    [{ headers: { "x\n": "1" } }, "settings.headers.x\n"],
    [{ receipts: { id: "/a", status: "/b", map: { ok: "fine" } } }, "settings.receipts.map.ok"],
    [
      { receipts: { ...receipts, billable: ["Content filtered", "Contents filtered"] } },
      "settings.receipts.billable.1",
    ],
    [{ receipts: { ...receipts, billable: ["Zugestellt"] } }, "settings.receipts.billable.0"],
    [
      { errors: [{ match: "slow", class: "throttled", billable: true }] },
      "settings.errors.0.billable",
    ],
  ] as const)
    expect(() => given(settings)).toThrow(path);
  expect(() => given({}, { headers: "x" })).toThrow("secrets.headers");
});

test.each<[string, { method?: string; url?: string; body?: string }]>([
  ["a GET", { method: "GET", url: "/send?text={{text}}" }],
  ["a POST with everything in its address", { url: "/send?text={{text}}" }],
  ["a POST with a body", { body: "{{text}}" }],
])(
  "%s that was written and is not answered may have got there",
  async (_, { url = "/", ...settings }) => {
    for (const behaviour of [{ type: "hang" }, { type: "reset" }] as const) {
      sink.behave(behaviour);
      const before = sink.requests.length;
      const gateway = createGateway(
        "live",
        given({ ...settings, url: `${sink.url}${url}` }),
        toolsOf(),
      );
      const caller = new AbortController();
      const outcome = gateway.send(attempt, caller.signal);
      await until(() => sink.requests.length > before);
      caller.abort();
      expect((await outcome).type).toBe("uncertain");
      await gateway.close();
    }
  },
);

test("a header takes what a header can hold, as UTF-8, and one that frames the request is refused", async () => {
  answer(200, { id: 7 });
  const secrets = { headers: '{"X-Team":"Zoë"}' };
  const emoji = attemptOf("+15550000001", { content: { text: "Приве́т 😀" } });
  const gateway = createGateway(
    "live",
    given({ headers: { "x-text": "{{text}}" } }, secrets),
    toolsOf(),
  );
  expect((await gateway.send(emoji, never)).type).toBe("accepted");
  await gateway.close();
  const { headers } = sink.requests.at(-1)!;
  const read = (name: string) => Buffer.from(String(headers[name]), "latin1").toString("utf8");
  expect([read("x-text"), read("x-team")]).toEqual([emoji.content.text, "Zoë"]);
  for (const name of ["Transfer-Encoding", "content-length", "Connection", "expect"]) {
    expect(() => given({ headers: { [name]: "1" } })).toThrow(`settings.headers.${name}`);
    expect(() => given({}, { headers: JSON.stringify({ [name]: "1" }) })).toThrow(
      "secrets.headers",
    );
  }
});

test("an id that is a long number keeps its digits, in the answer and in a report", async () => {
  const id = "9007199254740993";
  sink.behave({ type: "answer", status: 200, body: `{"id":${id}}` });
  expect((await sent({})).result).toMatchObject({ type: "accepted", providerMessageId: id });
  const receipts = { id: "/id", status: "/s", map: { "12345678901234567890": "delivered" } };
  const [item] = await readCallback(
    given({ receipts }),
    {
      url: "",
      headers: {},
      contentType: "application/json",
      body: Buffer.from(`{"id":${id},"s":12345678901234567890}`),
      receivedAt: "2026-05-23T14:22:17Z",
    },
    signer,
  );
  expect(item).toMatchObject({ report: { providerMessageId: id, status: "delivered" } });
});

test("what somebody wrote does not lead to another path", async () => {
  answer(200, { id: 7 });
  const before = sink.requests.length;
  for (const word of ["..", "."]) {
    const gateway = createGateway("live", given({ url: `${sink.url}/a/{{text}}/b` }), toolsOf());
    const result = await gateway.send(
      attemptOf("+15550000001", { content: { text: word } }),
      never,
    );
    expect(result).toMatchObject({ type: "rejected", error: { permanent: true } });
    await gateway.close();
  }
  expect(sink.requests.length).toBe(before);
});

test.each([
  ["-5", undefined],
  ["1.5", undefined],
  ["1000abc", undefined],
  ["", undefined],
  ["2", 2_000],
  ["1000000000", 86_400_000],
  ["Thu, 01 Jan 2015 00:00:00 GMT", 0],
])("Retry-After %j of a provider is read as HTTP has it", (header, ms) => {
  expect(retryAfter(header)).toBe(ms);
});
