import parsePhoneNumber from "libphonenumber-js/min";
import metadata from "libphonenumber-js/min/metadata";
import { boundedCache } from "./bounded-cache.ts";

/** `country` is ISO 3166-1 alpha-2 (`001` for numbers of no country), `callingCode` and `digits` are without the plus. */
export type Phone = {
  readonly e164: string;
  readonly country: string;
  readonly callingCode: string;
  readonly digits: string;
};

const shape = /^\+[1-9][0-9]{6,14}$/;
type Known = { readonly country: string; readonly callingCode: string };

/**
 * A full parse costs some 30 µs. Country and calling code follow from the first seven digits, and whether the number may exist
 * from its length, so numbers that share both share one parse. 20,000 entries are about 4 MB.
 */
const known = boundedCache<string, Known>(20_000);

const callingCodes = metadata.country_calling_codes as Readonly<
  Record<string, readonly string[] | undefined>
>;
const mainCountry = (callingCode: string): string => callingCodes[callingCode]?.[0] ?? "001";

/**
 * Reads a phone number in E.164 form (ITU-T E.164: plus, at most 15 digits) that its numbering plan allows by length. It need not be
 * assigned: `+15550000001` is accepted. Digits of other scripts, blanks and line breaks are refused. A trunk prefix written after the
 * calling code is removed. Gives undefined when it is no such number.
 */
export function parsePhone(text: string): Phone | undefined {
  if (text.length > 16 || !shape.test(text)) return undefined;
  const key = `${text.slice(1, 8)}/${text.length}`;
  const hit = known.get(key);
  if (hit !== undefined)
    return {
      e164: text,
      country: hit.country,
      callingCode: hit.callingCode,
      digits: text.slice(1),
    };
  const parsed = parsePhoneNumber(text);
  if (parsed === undefined || !parsed.isPossible()) return undefined;
  const callingCode: string = parsed.countryCallingCode;
  const country: string = parsed.country ?? mainCountry(callingCode);
  const e164: string = parsed.number;
  if (e164 === text) known.set(key, { country, callingCode });
  return { e164, country, callingCode, digits: e164.slice(1) };
}
