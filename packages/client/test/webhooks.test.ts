import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import {
  isEvent,
  signWebhook,
  verifyWebhook,
  verifyWebhookBatch,
  WebhookVerificationError,
} from "../src/index.ts";

const [secret, other] = [
  "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
  "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
];
const body = JSON.stringify({
  id: "evt_1",
  type: "message.sent",
  sequence: 1,
  data: { to: "Grüße 😀" },
});
const id = "evt_1";
const nowMs = Date.now();
const signed = signWebhook(body, secret, { id, nowMs });
const expectRefused = (run: () => unknown) => expect(run).toThrow(WebhookVerificationError);

test("what the official library signs is genuine here, and what is signed here is genuine there", () => {
  const signature = new Webhook(secret).sign(id, new Date(nowMs), body);
  expect(signature).toBe(signed["webhook-signature"]);
  expect(verifyWebhook(body, { ...signed, "webhook-signature": signature }, secret)).toEqual(
    JSON.parse(body),
  );
  expect(new Webhook(secret).verify(body, signed)).toEqual(JSON.parse(body));
});

test("bytes, text, either kind of headers and any of several secrets or signatures will do", () => {
  const bytes = Buffer.from(body);
  expect(verifyWebhook(bytes, new Headers(signed), [other, secret]).id).toBe(id);
  const upper = Object.fromEntries(
    Object.entries(signed).map(([name, value]) => [name.toUpperCase(), value]),
  );
  expect(verifyWebhook(bytes, upper, secret).id).toBe(id);
  const mine = signed["webhook-signature"];
  const many = { ...signed, "webhook-signature": `v1a,AAAA v1,nonsense v2,AAAA ${mine}` };
  const event = verifyWebhook(body, many, secret);
  expect(isEvent(event, "message.sent") && event.data.to).toBe("Grüße 😀");
});

test("another secret, another body, another time and no signature are refused", () => {
  expectRefused(() => verifyWebhook(body, signed, other));
  expectRefused(() => verifyWebhook(body.replace("sent", "read"), signed, secret));
  expectRefused(() => verifyWebhook(body, { ...signed, "webhook-id": "evt_2" }, secret));
  expectRefused(() => verifyWebhook(body, signed, secret, { nowMs: nowMs + 302_000 }));
  expectRefused(() => verifyWebhook(body, signed, secret, { nowMs: nowMs - 302_000 }));
  expectRefused(() => verifyWebhook(body, { ...signed, "webhook-timestamp": "1e9" }, secret));
  expectRefused(() => verifyWebhook(body, {}, secret));
  expectRefused(() => verifyWebhook(body, { ...signed, "webhook-signature": "v1," }, secret));
  expectRefused(() =>
    verifyWebhook(
      body,
      { ...signed, "webhook-signature": signed["webhook-signature"].slice(3) },
      secret,
    ),
  );
  expectRefused(() => verifyWebhook(body, signed, []));
});

test("a batch gives all its events, one event alone too, and a function for one says which it takes", () => {
  const batch = `{"events":[${body},${body}]}`;
  const headers = signWebhook(batch, secret, { id: "whb_1", nowMs });
  expect(verifyWebhookBatch(batch, headers, secret).map((event) => event.id)).toEqual([id, id]);
  expect(verifyWebhookBatch(body, signed, secret).map((event) => event.id)).toEqual([id]);
  expect(() => verifyWebhook(batch, headers, secret)).toThrow("verifyWebhookBatch");
  expectRefused(() => verifyWebhookBatch(batch, headers, other));
});

test("a parsed body and a secret that is none say what is wrong, without the secret", () => {
  const parsed = JSON.parse(body) as unknown as string;
  expect(() => verifyWebhook(parsed, signed, secret)).toThrow("raw bytes needed");
  expect(() => verifyWebhook(body, signed, "C2FVsBQIhrscChlQIMV+b5sSYspob7oD")).toThrow(
    /^a webhook secret is whsec_ and base64$/,
  );
});
