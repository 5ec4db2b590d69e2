import { isApnsToken, isDeviceId, unknownDevice, type Unsendable } from "../push-recipient.ts";
import type { Attempt } from "../types.ts";

/** Of notification and data together, keys and values (FCM, `INVALID_ARGUMENT`). */
const maxPayloadBytes = 4_096;
/** The same of a message to a topic. */
const maxTopicBytes = 2_048;
/** Four weeks: the longest that FCM keeps a message. */
const maxTtlSeconds = 2_419_200;

const bytesIn = (fields: Readonly<Record<string, string>>): number =>
  Object.entries(fields).reduce((sum, entry) => sum + Buffer.byteLength(entry.join("")), 0);

/**
 * The message of `messages:send`. Sent again after an answer that was lost, it takes the place of the first on the device, which shows one notification under one tag.
 */
export function fcmMessage(attempt: Attempt, nowMs: number): object | Unsendable {
  const { to, toList, content, category, messageId, validForSeconds } = attempt;
  const { subject, text = "" } = content;
  if (!toList && isDeviceId(to)) return { reason: "invalid_recipient", text: unknownDevice };
  if (!toList && isApnsToken(to))
    return { reason: "invalid_recipient", text: "it is a token of APNs" };
  if (text === "") return { reason: "content_rejected", text: "it has no text" };
  const image = attempt.media?.[0]?.url;
  const notification = {
    ...(subject !== undefined && { title: subject }),
    body: text,
    ...(image !== undefined && { image }),
  };
  const data = { ...attempt.data, message_id: messageId };
  const most = toList ? maxTopicBytes : maxPayloadBytes;
  if (bytesIn(notification) + bytesIn(data) > most)
    return { reason: "content_rejected", text: `it is larger than ${most} bytes` };
  const isUrgent = category !== "marketing";
  const ttl =
    validForSeconds === undefined
      ? undefined
      : Math.min(Math.floor(validForSeconds), maxTtlSeconds);
  return {
    ...(toList ? { topic: to } : { token: to }),
    notification,
    data,
    android: {
      priority: isUrgent ? "HIGH" : "NORMAL",
      ...(ttl !== undefined && { ttl: `${ttl}s` }),
      notification: { tag: messageId },
    },
    apns: {
      headers: {
        "apns-priority": isUrgent ? "10" : "5",
        "apns-collapse-id": messageId,
        ...(ttl !== undefined && { "apns-expiration": String(Math.floor(nowMs / 1_000) + ttl) }),
      },
      // What shows a picture on iOS is an extension of the application, which only such a push wakes.
      ...(image !== undefined && {
        payload: { aps: { "mutable-content": 1 } },
        fcm_options: { image },
      }),
    },
    webpush: {
      headers: {
        Urgency: isUrgent ? "high" : "normal",
        ...(ttl !== undefined && { TTL: String(ttl) }),
      },
      notification: { tag: messageId },
    },
  };
}
