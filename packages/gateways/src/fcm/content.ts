import { isApnsToken, isDeviceId, unknownDevice, type Unsendable } from "../push-recipient.ts";
import type { PushOptions } from "@heliograph/channels";
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
  const { subject, text = "", push = {} } = content;
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
  const data = { ...attempt.data, ...push.data, message_id: messageId };
  const most = toList ? maxTopicBytes : maxPayloadBytes;
  if (bytesIn(notification) + bytesIn(data) > most)
    return { reason: "content_rejected", text: `it is larger than ${most} bytes` };
  // A device shows one of what has the same: a repeat, or what the sender says is the same.
  const tag = push.collapse_key ?? messageId;
  const aps = {
    ...(push.badge !== undefined && { badge: push.badge }),
    ...(push.sound !== undefined && { sound: push.sound }),
    // What shows a picture on iOS is an extension of the application, which only such a push wakes.
    ...(image !== undefined && { "mutable-content": 1 }),
  };
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
      ...(push.collapse_key !== undefined && { collapse_key: push.collapse_key }),
      notification: onAndroid(push, tag),
    },
    apns: {
      headers: {
        "apns-priority": isUrgent ? "10" : "5",
        "apns-collapse-id": tag,
        ...(ttl !== undefined && { "apns-expiration": String(Math.floor(nowMs / 1_000) + ttl) }),
      },
      ...(Object.keys(aps).length > 0 && { payload: { aps } }),
      ...(image !== undefined && { fcm_options: { image } }),
    },
    webpush: {
      headers: {
        Urgency: isUrgent ? "high" : "normal",
        ...(ttl !== undefined && { TTL: String(ttl) }),
      },
      notification: { tag },
    },
  };
}

/** 0 says nothing there: Android counts by itself. */
const onAndroid = ({ sound, channel_id, badge = 0 }: PushOptions, tag: string): object => ({
  tag,
  ...(sound !== undefined && { sound }),
  ...(channel_id !== undefined && { channel_id }),
  ...(badge > 0 && { notification_count: badge }),
});
