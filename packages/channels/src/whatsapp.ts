import type { ChannelModule } from "./channel.ts";
import { magicDigits } from "./magic.ts";
import { numberOrName, phoneRecipient } from "./number-channel.ts";
import { oneMessage } from "./segments.ts";

export const whatsapp: ChannelModule = {
  noun: "a WhatsApp message",
  recipient: phoneRecipient,
  sender: numberOrName,
  // WhatsApp's own limit.
  limits: { text: 4_096 },
  // One message of the Cloud API is one file.
  media: 1,
  needs: [["text"]],
  segments: ({ text = "" }) => oneMessage(text),
  magic: magicDigits,
};
