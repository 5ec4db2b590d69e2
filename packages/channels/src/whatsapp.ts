import { type ChannelModule, type Read, type Recipient, fault, read } from "./channel.ts";
import { magicDigits } from "./magic.ts";
import { numberOrName, phoneRecipient } from "./number-channel.ts";
import { isCountry } from "./phone.ts";
import { oneMessage } from "./segments.ts";

/** What Meta refuses in a value (error 132018 and its neighbours). */
function value(text: string): Read<string> {
  if (text === "") return fault("blank", "is empty");
  if (/[\r\n\t]/.test(text)) return fault("line_break", "has a line break or a tab in it");
  return / {5}/.test(text)
    ? fault("too_many_blanks", "has more than four blanks in a row")
    : read(text);
}

/** What Meta calls a person who shows no number: a country and an id of letters and digits, both as Meta writes them (Meta, "Business-scoped user IDs"). */
const userId = /^([A-Z]{2})\.(?:ENT\.)?[A-Za-z0-9]{1,128}$/;
export const isWhatsappUserId = (text: string): boolean => isCountry(userId.exec(text)?.[1] ?? "");

/** A number, or a person without one, whose country the id tells. */
const recipient = (text: string): Read<Recipient> =>
  isWhatsappUserId(text)
    ? read({ to: text, digits: "", country: text.slice(0, 2) })
    : phoneRecipient(text);

export const whatsapp: ChannelModule = {
  noun: "a WhatsApp message",
  recipient,
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
