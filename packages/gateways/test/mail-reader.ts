import { deterministicId } from "@heliograph/contracts";
import { deliveredUrl, readCallback, type CallbackItem } from "../src/index.ts";
import { mailIdOf } from "../src/smtp/mail-id.ts";
import { returnPathOf } from "../src/smtp/return-path.ts";
import { configOf, toolsOf } from "./support.ts";

/** A gateway with a return path, and what a mail to it says. */
export const { masterKey } = toolsOf();
export const domain = "bounces.shop.example";
export const gateway = configOf({
  environment: "live",
  name: "mail-1",
  kind: "smtp",
  channel: "email",
  settings: {
    url: "smtp://mx.example",
    from: "Shop <shop@shop.example>",
    reply_to: "Help@shop.example",
    return_path_domain: domain,
  },
});
export const messageId = deterministicId("msg", "one");
export const local = returnPathOf(masterKey, gateway.gateway_id, { messageId, attempt: 2 });
export const mailId = mailIdOf(masterKey, { messageId, attempt: 2 }, domain);

export const read = (
  body: Buffer,
  to = `${local}@${domain}`,
  headers: Readonly<Record<string, string>> = { "mail-from": "" },
  {
    more = {},
    ...by
  }: { more?: object; sharing?: (domain: string) => readonly string[]; masterKey?: Buffer } = {},
): Promise<readonly CallbackItem[]> =>
  readCallback(
    { ...gateway, settings: { ...gateway.settings, ...more } },
    {
      url: deliveredUrl(to),
      headers,
      contentType: "message/rfc822",
      body,
      receivedAt: "2026-05-23T14:22:17Z",
    },
    { gatewayId: gateway.gateway_id, masterKey, ...by },
  );

export const person = ["From: Ada Łódź <ada@example.com>", "Message-ID: <m1@example.com>"];
export const isPerson = { "mail-from": "ada@example.com" };
