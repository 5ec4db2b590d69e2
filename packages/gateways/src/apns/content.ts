import { uuid5 } from "@heliograph/contracts";
import { isApnsToken, isDeviceId, unknownDevice, type Unsendable } from "../push-recipient.ts";
import type { Attempt } from "../types.ts";

/** What APNs takes in all, bytes of JSON (Apple, "Generating a remote notification"). */
const maxPayloadBytes = 4_096;

export type Notification = {
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: string;
};

/**
 * What is posted for an attempt, but for who sends it. The id is the attempt's, so a repeat has the same one; the device shows the last of what has one collapse id, the sender's or the message's, so a repeat
 * takes the place of the first.
 */
export function notificationOf(attempt: Attempt, nowMs: number): Notification | Unsendable {
  const { to, content, category, attemptId, messageId, validForSeconds } = attempt;
  const { subject, text = "", push = {} } = content;
  if (isDeviceId(to)) return { reason: "invalid_recipient", text: unknownDevice };
  if (!isApnsToken(to)) return { reason: "invalid_recipient", text: "it is no token of APNs" };
  if (text === "") return { reason: "content_rejected", text: "it has no text" };
  const alert = { ...(subject !== undefined && { title: subject }), body: text };
  const image = attempt.media?.[0]?.url;
  // APNs has no pictures: an extension of the application fetches what a push of this kind names.
  const aps = {
    alert,
    ...(push.badge !== undefined && { badge: push.badge }),
    ...(push.sound !== undefined && { sound: push.sound }),
    ...(image !== undefined && { "mutable-content": 1 }),
  };
  const payload = JSON.stringify({
    ...attempt.data,
    ...push.data,
    message_id: messageId,
    ...(image !== undefined && { image }),
    aps,
  });
  if (Buffer.byteLength(payload) > maxPayloadBytes)
    return { reason: "content_rejected", text: `it is larger than ${maxPayloadBytes} bytes` };
  return {
    payload,
    headers: {
      "apns-id": uuid5("apns", attemptId),
      "apns-push-type": "alert",
      "apns-priority": category === "marketing" ? "5" : "10",
      "apns-collapse-id": push.collapse_key ?? messageId,
      ...(validForSeconds !== undefined && {
        "apns-expiration": String(Math.floor(nowMs / 1_000 + validForSeconds)),
      }),
    },
  };
}
