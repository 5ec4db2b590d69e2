/** A token of APNs is bytes in hexadecimal, 32 of them so far and 100 at most. One of FCM has letters beyond F, and in practice a colon. */
export const isApnsToken = (to: string): boolean => /^(?:[0-9a-f]{2}){32,100}$/i.test(to);

/** A device of ours that nobody has: one that is known has become its token before it gets here. */
export const isDeviceId = (to: string): boolean => to.startsWith("dev_");
export const unknownDevice = "there is no such device, or it is registered no more";

/** Why there is no notification to send, as the refusal that it is. */
export type Unsendable = {
  readonly reason: "invalid_recipient" | "content_rejected";
  readonly text: string;
};
export const isUnsendable = (notification: object): notification is Unsendable =>
  "reason" in notification;
