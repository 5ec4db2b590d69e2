import type { ReceivedCallback } from "@heliograph/gateways";
import { deliverFrame } from "@heliograph/testkit";

const receivedAt = new Date().toISOString();
const gatewayOf = (name: string, kind: string): ReceivedCallback["gateway"] => ({
  gateway_id: `gtw_${name}`,
  name,
  kind,
  channel: "sms",
});

/** As Twilio posts it. */
const posted = (body: string): ReceivedCallback => ({
  gateway: gatewayOf("twilio-1", "twilio"),
  url: "https://in.example/api/v1/callbacks/gtw_1/token",
  headers: {},
  contentType: "application/x-www-form-urlencoded",
  body: Buffer.from(body),
  receivedAt,
});
export const statusCallback = (sid: string): ReceivedCallback =>
  posted(`MessageSid=${sid}&MessageStatus=delivered`);
export const writtenCallback = (sid: string): ReceivedCallback =>
  posted(
    `MessageSid=${sid}&SmsStatus=received&From=%2B15550000301&To=%2B15550100000&Body=Hello&NumMedia=0`,
  );

/** One part of a text as a message centre delivers it. */
export const partCallback = (number: number, text: string): ReceivedCallback => ({
  gateway: gatewayOf("smpp-1", "smpp"),
  url: "",
  headers: {},
  contentType: `application/smpp; alphabet=ascii; id=part-${number}`,
  body: deliverFrame(number, {
    from: "15550000302",
    to: "12345",
    esmClass: 0x40,
    message: Buffer.concat([Buffer.from([5, 0, 3, 7, 2, number]), Buffer.from(text, "latin1")]),
  }),
  receivedAt,
});
