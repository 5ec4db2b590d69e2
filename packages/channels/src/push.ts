import { type ChannelModule, fault, read } from "./channel.ts";
import { magicDigits } from "./magic.ts";
import { numberOrName } from "./number-channel.ts";
import { oneMessage } from "./segments.ts";

/**
 * A device of ours (`dev_…`), or a token: those of FCM are letters, digits, `_`, `-` and `:`, those of APNs hexadecimal. Neither provider promises a length; the most that
 * an event keeps of a recipient is 512.
 */
const token = /^[A-Za-z0-9][A-Za-z0-9_:.-]{3,511}$/;

/** A notification on a device. */
export const push: ChannelModule = {
  noun: "a push",
  recipient: (text) =>
    token.test(text)
      ? read({ to: text, digits: "", country: "" })
      : fault("invalid_device", "must be a device (dev_…), or a token of FCM or APNs"),
  takesNames: true,
  sender: numberOrName,
  // Both providers take 4 KB in all (FCM and APNs: 4,096 bytes), and a character has up to four.
  limits: { text: 900, subject: 100 },
  // The picture of the notification, which the device fetches.
  media: 1,
  pushes: true,
  // What is left of the 4 KB beside the names of fields and the message's id.
  bytesTogether: 3_900,
  file: (file) =>
    file.type === undefined || /^image\/(?:png|jpeg|gif|webp)\b/i.test(file.type)
      ? read(file)
      : fault("not_allowed", "must be a picture: PNG, JPEG, GIF or WebP"),
  needs: [["text"]],
  segments: ({ text = "" }) => oneMessage(text),
  magic: magicDigits,
};
