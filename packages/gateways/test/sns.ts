import { sign } from "node:crypto";
import type { CallbackRequest } from "../src/index.ts";
import { canonicalText, SnsMessage } from "../src/smtp/sns.ts";

export const topic = "arn:aws:sns:eu-west-1:123456789012:mail";
export const certificateUrl =
  "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem";
export const confirmationUrl = `https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=${topic}&Token=2336412f37`;

/** What SNS posts, signed with a key. */
export function postedBySns(
  key: string,
  changes: Readonly<Record<string, unknown>> = {},
): CallbackRequest {
  const unsigned = {
    Type: "Notification",
    Message: "{}",
    MessageId: "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
    Timestamp: "2026-05-23T14:22:17.000Z",
    TopicArn: topic,
    SignatureVersion: "2",
    Signature: "",
    SigningCertURL: certificateUrl,
    ...changes,
  };
  const digest = unsigned.SignatureVersion === "1" ? "sha1" : "sha256";
  const known = SnsMessage.safeParse(unsigned).data;
  const text = known === undefined ? "" : canonicalText(known);
  const signed = { Signature: sign(digest, Buffer.from(text), key).toString("base64") };
  return {
    method: "POST",
    url: "https://api.example.com/api/v1/callbacks/gtw_1/token",
    headers: { "content-type": "text/plain; charset=UTF-8" },
    body: Buffer.from(JSON.stringify({ ...unsigned, ...signed, ...changes })),
  };
}
