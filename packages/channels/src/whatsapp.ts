import { type ChannelModule, type Read, fault, read } from "./channel.ts";
import { magicDigits } from "./magic.ts";
import { numberOrName, phoneRecipient } from "./number-channel.ts";
import { oneMessage } from "./segments.ts";

/** What Meta refuses in a value (error 132018 and its neighbours). */
function value(text: string): Read<string> {
  if (text === "") return fault("blank", "is empty");
  if (/[\r\n\t]/.test(text)) return fault("line_break", "has a line break or a tab in it");
  return / {5}/.test(text)
    ? fault("too_many_blanks", "has more than four blanks in a row")
    : read(text);
}

export const whatsapp: ChannelModule = {
  noun: "a WhatsApp message",
  recipient: phoneRecipient,
  sender: numberOrName,
  // WhatsApp's own limit.
  limits: { text: 4_096 },
  // One message of the Cloud API is one file.
  media: 1,
  needs: [["text"]],
  value,
  segments: ({ text = "" }) => oneMessage(text),
  magic: magicDigits,
};
