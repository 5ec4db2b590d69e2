import { webhookSink, type WebhookSink } from "@heliograph/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { configured, createGateway, previewOf, readCallback } from "../src/index.ts";
import { attemptOf, configOf, toolsOf } from "./support.ts";

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
    return result.type === "rejected" ? result.error.code : result.type;
  };
  expect(await outcome(202, { m: [{ id: 12 }] })).toBe("accepted");
  expect(await outcome(200, { error: "limit" })).toBe("provider_throttled");
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

test("one bad report of a list stops none of the others, and a word that is not mapped changes nothing", () => {
  const receipts = {
    items: "/list",
    id: "/id",
    status: "/s",
    map: { ok: "delivered", no: "bounced" },
  };
  const list = [{ id: 1, s: "ok" }, { id: {} }, { id: 2, s: "new" }, null, { id: "3", s: "no" }];
  const items = readCallback(given({ receipts }), {
    url: "",
    headers: {},
    contentType: "application/json",
    body: Buffer.from(JSON.stringify({ list })),
    receivedAt: "2026-05-23T14:22:17Z",
  });
  expect(items.map(({ kind }) => kind)).toEqual([
    "report",
    "unreadable",
    "ignored",
    "unreadable",
    "report",
  ]);
  expect(items.at(-1)).toMatchObject({
    report: { providerMessageId: "3", status: "bounced", error: { provider: { code: "no" } } },
  });
});

test("a configuration that cannot work is refused by its field", () => {
  for (const [settings, path] of [
    [{ url: "ftp://h/" }, "settings.url"],
    [{ url: "https://{{to}}/" }, "settings.url"],
    [{ url: "https://u:p@h/" }, "settings.url"],
    [{ success: { id: "id" } }, "settings.success.id"],
    [{ headers: { "x\n": "1" } }, "settings.headers.x\n"],
    [{ receipts: { id: "/a", status: "/b", map: { ok: "fine" } } }, "settings.receipts.map.ok"],
  ] as const)
    expect(() => given(settings)).toThrow(path);
  expect(() => given({}, { headers: "x" })).toThrow("secrets.headers");
});
