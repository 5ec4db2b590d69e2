import { expect, test } from "vitest";
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
