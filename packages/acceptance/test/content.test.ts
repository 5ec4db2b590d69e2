import { expect, test } from "vitest";
import { acceptMessage } from "../src/accept.ts";
import { contentOf } from "../src/content.ts";

const send = (channel: "sms" | "whatsapp", text: string) =>
  contentOf({ channel, to: "+15551234567", text, smart_encoding: true }, undefined);

test("smart encoding is for SMS, and what it makes longer than an SMS may be is refused", () => {
  const quoted = send("sms", "\u201cHi\u201d");
  expect(quoted).toMatchObject({
    content: { text: '"Hi"' },
    replaced: [{ count: 1 }, { count: 1 }],
  });
  expect(() => send("whatsapp", "Hi")).toThrow("smart_encoding: a WhatsApp message has none");
  expect(() => send("sms", "\u2026".repeat(600))).toThrow("at most 1600 characters");
});

test("a push whose words and picture are too much together for its providers is refused when it is sent", () => {
  const accept = (text: string) =>
    acceptMessage({
      body: { channel: "push", to: "dev_1", text },
      recipient: { to: "dev_1", digits: "", country: "" },
      messageId: "msg_1",
      template: undefined,
      media: [{ url: `https://cdn.example/${"x".repeat(1_900)}` }],
      prices: undefined,
      nowMs: 0,
    });
  expect(() => accept("\u20ac".repeat(900))).toThrow("3900 bytes");
  // Nothing else is wrong with it but for a price.
  expect(() => accept("x".repeat(900))).toThrow("no price");
});
