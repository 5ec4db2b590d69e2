import { soughtExternalId } from "@heliograph/channels";

/** Channels whose addresses are phone numbers, which people write with blanks, dots, hyphens and brackets. */
const phoneChannels: ReadonlySet<string> = new Set(["sms", "whatsapp"]);

/** A phone number without what people put between its digits; other ids as they are. Nothing is guessed: without a plus it stays as it is, and is refused. */
export const plainNumber = (source: string, id: string): string =>
  phoneChannels.has(source) && /^\s*\+/.test(id)
    ? id.replaceAll(/[\s().\-/\u00a0\u2010-\u2015]/g, "")
    : id;

/** What an external id in a query may be stored as: itself, and the address that it spells. */
export function spellings(text: string, source: string | undefined): readonly string[] {
  // No address begins with a blank: one that does was a plus before the query was decoded.
  const written = text.replace(/^ (?=\d)/, "+");
  const asked = source === undefined ? ["sms", "email"] : [source];
  const stored = asked.flatMap((each) => {
    const found = soughtExternalId(each, plainNumber(each, written));
    return found === undefined ? [] : [found.id];
  });
  return [...new Set([written.trim(), ...stored])];
}
