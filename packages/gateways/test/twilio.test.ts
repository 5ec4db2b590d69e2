import { twilioDouble, type TwilioDouble } from "@heliograph/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  createGateway,
  parseInbound,
  readCallback,
  type CallbackItem,
  type Gateway,
} from "../src/index.ts";
import { sealedConfig } from "../src/configuration.ts";
import { twilioFailure } from "../src/twilio/errors.ts";
import { verifyTwilio } from "../src/twilio/signature.ts";
import { attemptOf, configOf, signer, toolsOf } from "./support.ts";

const never = new AbortController().signal;
let twilio: TwilioDouble;
let gateway: Gateway;
beforeAll(async () => {
  twilio = await twilioDouble();
  const settings = { base_url: twilio.url, account_sid: twilio.accountSid, from: "+15550100000" };
  const config = configOf({ environment: "live", kind: "twilio", settings });
  const { masterKey } = toolsOf();
  const sealed = sealedConfig(config, { auth_token: twilio.authToken }, masterKey);
  gateway = createGateway("live", sealed, toolsOf());
});
afterAll(async () => {
  await gateway.close();
  await twilio.close();
});

const form = (text: string) => Buffer.from(text);
const verdict = (url: string, body: Buffer, signature: string): string =>
  verifyTwilio({ method: "POST", url, headers: { "x-twilio-signature": signature }, body }, "12345")
    .kind;

test("signatures that the vendor's own package (twilio 6.3.1) made are believed", () => {
  const sid = "MessageSid=SM1&MessageStatus=";
  const at = "/api/v1/callbacks/gtw_1/tok";
  for (const [url, body, signature] of [
    // Neither sorted nor written anew: the query is signed as it came.
    [
      `https://in.example${at}?b=2&a=it's+ok`,
      `${sid}delivered&To=%2B15551234567&Body=%C3%A9+%26+%C3%BC`,
      "iCA7rzkT3ovO2FBclCoYL53Bd4I=",
    ],
    // Signed with the standard port, known to us without; and the other way round.
    [`https://in.example${at}?message=msg_1`, `${sid}sent`, "8um/itbhzGCVZ+vMkK0hozfgy/c="],
    [`https://in.example:443${at}?message=msg_1`, `${sid}sent`, "8um/itbhzGCVZ+vMkK0hozfgy/c="],
    // A fragment of the configured address (`#rc=3` says how often it is tried) is no part of it.
    [`https://in.example${at}?message=msg_1#rc=3`, `${sid}sent`, "8um/itbhzGCVZ+vMkK0hozfgy/c="],
    ["https://in.example:8443/cb", "A=1&B=", "Xz2f8goxEr2XO9i60wkElVWh6Zk="],
    ["http://in.example/cb", "A=2&A=1&A=2&B=x", "LJImwi1omvXHpnCM1cPsLWc3lfo="],
    [
      "https://in.example/cb?bodySHA256=015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862",
      '{"a":1}',
      "YB8t4JjB1i2rrimAxoYTc6W6caI=",
    ],
  ] as const)
    expect([url, verdict(url, form(body), signature)]).toEqual([url, "genuine"]);
});

test("another port, origin, query, body or token is a forgery", () => {
  const right = "8um/itbhzGCVZ+vMkK0hozfgy/c=";
  const url = "https://in.example/api/v1/callbacks/gtw_1/tok?message=msg_1";
  const body = form("MessageSid=SM1&MessageStatus=sent");
  for (const [at, bytes, signature] of [
    [url.replace(".example", ".example:8443"), body, right],
    [url.replace("https", "http"), body, right],
    [`${url}&x=1`, body, right],
    [url, form("MessageSid=SM1&MessageStatus=delivered"), right],
    [url, body, ""],
    [url, body, "AAAA"],
    [`${url}&bodySHA256=00`, body, right],
  ] as const)
    expect(verdict(at, bytes, signature)).toBe("forged");
});

test("a body of as many fields as it may have is told from a genuine one without holding anybody up", () => {
  const fields = Array.from({ length: 150_000 }, (_, index) => `${index.toString(36)}=`);
  const begun = performance.now();
  expect(verdict("https://in.example/cb", form(fields.join("&")), "AAAA")).toBe("forged");
  // Looking through all for each took minutes.
  expect(performance.now() - begun).toBeLessThan(2_000);
});

test("the provider's words name no recipient, however it writes the number", () => {
  const text = "To 15551234567, that is +15551234567 or %2B15551234567, is no mobile";
  const { provider } = twilioFailure("one", "invalid_recipient", { text }, "+15551234567");
  expect(provider?.text).not.toContain("5551234567");
});

test("a refusal is classed by its code, and by its status where the code is not known; the code is kept", async () => {
  for (const [status, code, reason, permanent, throttles] of [
    [400, 21211, "invalid_recipient", true],
    [400, 21610, "recipient_opted_out", true],
    [400, 21617, "content_rejected", true],
    [400, 21611, "provider_throttled", false, "recipient"],
    [429, 20429, "provider_throttled", false, "gateway"],
    [429, undefined, "provider_throttled", false, "gateway"],
    [400, 39_999, "provider_rejected", true],
    [401, 20003, "gateway_authentication_failed", false],
    [403, 29_999, "gateway_authentication_failed", false],
    [503, undefined, "provider_unavailable", false],
    [302, undefined, "provider_unavailable", false],
  ] as const) {
    const message = "The number +15550000001 is not it";
    twilio.behave({ type: "refuse", status, message, ...(code !== undefined && { code }) });
    const result = await gateway.send(attemptOf("+15550000001"), never);
    expect(result).toMatchObject({
      ...(throttles === undefined ? { type: "rejected" } : { type: "unavailable", throttles }),
      error: { code: reason, permanent, provider: { code: String(code ?? status) } },
    });
    // Nobody's number stands in what is kept for ever.
    expect(JSON.stringify(result)).not.toContain("15550000001");
  }
});

test("what may have been taken is uncertain: a 500, an answer without an id, nonsense", async () => {
  for (const [status, body] of [
    [500, '{"code":20500}'],
    [502, "<html>"],
    [202, "{}"],
    [201, '{"sid":""}'],
    [200, "null"],
    [200, "x".repeat(300_000)],
  ] as const) {
    twilio.behave({ type: "answer", status, body });
    expect(await gateway.send(attemptOf("+15550000001"), never)).toMatchObject({
      type: "uncertain",
    });
  }
});

test("who sends is the message's word, else the service's, else the gateway's; nobody is a refusal", async () => {
  twilio.behave({ type: "accept" });
  const sent = async (attempt: object, more: object) => {
    const settings = { base_url: twilio.url, account_sid: twilio.accountSid, ...more };
    const config = configOf({ environment: "live", kind: "twilio", settings });
    const { masterKey } = toolsOf();
    const sealed = sealedConfig(config, { auth_token: twilio.authToken }, masterKey);
    const own = createGateway("live", sealed, toolsOf());
    const result = await own.send(attemptOf("+15550000001", attempt), never);
    await own.close();
    if (result.type !== "accepted") return result.type;
    const { form: posted } = twilio.messages.at(-1)!;
    return [posted.get("From"), posted.get("MessagingServiceSid"), posted.get("ValidityPeriod")];
  };
  const both = { from: "+15550100000", messaging_service_sid: "MG1" };
  expect(await sent({ from: "Shop", validForSeconds: 90.5 }, both)).toEqual(["Shop", null, "90"]);
  expect(await sent({}, both)).toEqual([null, "MG1", null]);
  expect(await sent({ validForSeconds: 86_400 }, { from: "+1" })).toEqual(["+1", null, null]);
  expect(await sent({}, {})).toBe("rejected");
});

const read = (body: string): Promise<readonly CallbackItem[]> =>
  readCallback(
    configOf({ kind: "twilio" }),
    {
      url: "https://in.example/cb",
      headers: {},
      contentType: "application/x-www-form-urlencoded",
      body: form(body),
      receivedAt: "2026-05-23T14:22:17Z",
    },
    signer,
  );

test("a word that is not in the table changes nothing, an error stands beside a failure only, and there is always a reason", async () => {
  for (const word of ["queued", "sending", "accepted", "partially_delivered", "constructor"])
    expect(await read(`MessageSid=SM1&MessageStatus=${word}`)).toEqual([
      { kind: "ignored", what: word },
    ]);
  const [late] = await read("MessageSid=SM1&MessageStatus=delivered&ErrorCode=30003");
  expect(late).toMatchObject({ kind: "report", report: { status: "delivered" } });
  expect(JSON.stringify(late)).not.toContain("30003");
  for (const [code, reason] of [
    ["30003", "recipient_unreachable"],
    ["30034", "account_not_allowed"],
    ["39999", "undelivered"],
    // Passing for a send, final for a delivery.
    ["30001", "undelivered"],
  ])
    expect(await read(`MessageSid=SM1&MessageStatus=failed&ErrorCode=${code}`)).toMatchObject([
      {
        report: {
          status: "undelivered",
          permanent: true,
          error: {
            code: reason,
            permanent: true,
            provider: { code, text: `Twilio error ${code}` },
          },
        },
      },
    ]);
  // Twilio charges for what it tried to deliver and a carrier filtered, for nothing that never left it, and gives the rest back.
  for (const [word, code, billable] of [
    ["undelivered", "30007", true],
    ["failed", "30007", undefined],
    ["undelivered", "30003", undefined],
  ] as const) {
    const [item] = await read(`MessageSid=SM1&MessageStatus=${word}&ErrorCode=${code}`);
    const { error } = (item as Extract<CallbackItem, { kind: "report" }>).report;
    expect(error?.billable, `${word} ${code}`).toBe(billable);
    expect(error?.provider?.code).toBe(code);
  }
  expect(await read("MessageSid=SM1&MessageStatus=failed")).toMatchObject([
    { report: { diagnostic: "the provider gave no reason" } },
  ]);
});

test("a person's message is read with its pictures", async () => {
  const raw = form(
    "MessageSid=MM1&From=%2B15550000001&To=%2B15550100000&Body=Hi&NumMedia=2&MediaUrl0=https%3A%2F%2Fm.example%2F1&MediaContentType0=image%2Fpng&MediaUrl1=javascript%3A1",
  );
  const gatewayOf = { name: "one", channel: "sms" } as const;
  const request = { raw, contentType: "application/x-www-form-urlencoded", gateway: gatewayOf };
  expect(await parseInbound("twilio", request)).toEqual({
    providerMessageId: "MM1",
    from: "+15550000001",
    to: "+15550100000",
    text: "Hi",
    media: [{ url: "https://m.example/1", type: "image/png" }],
    kind: "message",
  });
  await expect(parseInbound("twilio", { ...request, raw: form("Body=Hi") })).rejects.toThrow(/Sid/);
});
