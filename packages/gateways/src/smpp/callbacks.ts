import type { Callback, CallbackItem } from "../callbacks.ts";
import { readType } from "./content-type.ts";
import { deliveryIn, readWritten } from "./inbound.ts";
import { readReceipt } from "./receipts.ts";
import type { SmppSettings } from "./settings.ts";

/** Bits 5 to 2 of esm_class say what a delivery is, and nothing else does (section 5.2.12): neither its text nor the other bits. */
const messageType = (esmClass: number): number => (esmClass >> 2) & 0x0f;
const fromPerson = 0b0000;
const receipt = 0b0001;
const intermediate = 0b1000;

/** What a PDU of the message centre tells. */
export function readSmpp(
  callback: Callback,
  gateway: { readonly name: string },
  settings?: SmppSettings,
): CallbackItem[] {
  const delivery = deliveryIn(callback.body);
  switch (messageType(delivery.fields.esm_class)) {
    case fromPerson:
      return [readMessage(callback)];
    case receipt:
      return [readReceipt(delivery, gateway.name, settings?.billable)];
    case intermediate:
      return [{ kind: "ignored", what: "a notice on the way" }];
    default:
      return [{ kind: "ignored", what: "an acknowledgement of the recipient" }];
  }
}

/** A part of a long message is a short message of 255 octets at most, with its fields and parameters. What is longer is no part: 255 of the longest PDUs would be 17 MB, which no event has room for. */
const maxPartBytes = 2_000;
/** The standard has 20 for a number (section 4.6.1) and 64 for other addresses. */
const maxAddress = 64;

function readMessage({ body, contentType }: Callback): CallbackItem {
  const { alphabet, id } = readType(contentType);
  const { from, to, part, text } = readWritten(deliveryIn(body), alphabet);
  if (from.length > maxAddress || to.length > maxAddress)
    return { kind: "unreadable", why: "an address is longer than there is" };
  if (text === undefined) return { kind: "ignored", what: "a message that is no text" };
  const item = { providerMessageId: id, from, contentType, raw: body };
  if (part === undefined || body.length > maxPartBytes) return { kind: "inbound", ...item };
  const { reference, total, number } = part;
  return { kind: "part", ...item, of: `${from} ${to} ${reference} ${total}`, total, number };
}
