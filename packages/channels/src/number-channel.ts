import { type Read, type Recipient, fault, read } from "./channel.ts";
import { parsePhone } from "./phone.ts";

/** What channels that reach people by their phone number share. */

const name = /^(?:[A-Za-z0-9][A-Za-z0-9 ._-]{0,10}|\+?[0-9]{3,15})$/;

export function phoneRecipient(text: string): Read<Recipient> {
  const phone = parsePhone(text);
  return phone === undefined
    ? fault("invalid_phone", "must be a phone number in E.164 form, such as +15551234567")
    : read({ to: phone.e164, digits: phone.digits, country: phone.country });
}

/** A number, a short code, or a name of at most eleven characters (3GPP TS 23.040, 9.1.2.5). */
export const numberOrName = (text: string): Read<string> =>
  name.test(text)
    ? read(text)
    : fault("invalid_sender", "must be a number or a name of at most 11 letters and digits");
