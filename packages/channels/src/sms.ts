import type { ChannelModule } from "./channel.ts";
import { magicDigits } from "./magic.ts";
import { numberOrName, phoneRecipient } from "./number-channel.ts";
import { segmentSms } from "./segments.ts";
import { smartEncoding } from "./smart-encoding.ts";

export const sms: ChannelModule = {
  noun: "an SMS",
  recipient: phoneRecipient,
  sender: numberOrName,
  // Ten concatenated SMS (1,530 septets) is what networks carry reliably.
  limits: { text: 1_600 },
  needs: [["text"]],
  smartEncoding,
  segments: ({ text = "" }, languages) => segmentSms(text, languages),
  magic: magicDigits,
};
