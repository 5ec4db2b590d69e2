import parsePhoneNumber, { Metadata, type CountryCode } from "libphonenumber-js/min";
import metadata from "libphonenumber-js/min/metadata";

/** `country` is ISO 3166-1 alpha-2 (`001` for numbers of no country), `callingCode` and `digits` are without the plus. */
export type Phone = {
  readonly e164: string;
  readonly country: string;
  readonly callingCode: string;
  readonly digits: string;
};

type Country = {
  readonly code: string;
  readonly lengths: readonly number[];
  readonly belongs: (national: string) => boolean;
};
/** The numbering plan of one calling code; the first country is the main one. */
type Plan = { readonly callingCode: string; readonly countries: readonly [Country, ...Country[]] };

const shape = /^\+[1-9][0-9]{6,14}$/;
const shared: Readonly<Record<string, readonly string[] | undefined>> =
  metadata.country_calling_codes;

/** What the library has at run time and leaves out of its types. */
type NumberingPlan = NonNullable<Metadata["numberingPlan"]> & {
  nationalNumberPattern(): string;
  type(name: string): { pattern(): string; possibleLengths(): readonly number[] } | undefined;
};
const kinds = [
  "FIXED_LINE",
  "MOBILE",
  "PREMIUM_RATE",
  "TOLL_FREE",
  "SHARED_COST",
  "VOIP",
  "PERSONAL_NUMBER",
  "PAGER",
  "UAN",
  "VOICEMAIL",
];
const whole = (pattern: string): RegExp => new RegExp(`^(?:${pattern})$`);

/**
 * Mexican mobiles were written with a 1 after the country's code until 2019, and contact lists still have them so. Networks take both
 * forms; the plan knows the new one alone.
 */
const legacy: Readonly<Record<string, RegExp | undefined>> = { "52": /^1[0-9]{10}$/ };

function readCountry(code: string): Country {
  const tables = new Metadata();
  // A calling code of no country (800, 870, …) selects its plan in the same way.
  tables.selectNumberingPlan(code as CountryCode);
  const plan = tables.numberingPlan as NumberingPlan;
  return {
    code: /^[0-9]/.test(code) ? "001" : code,
    lengths: plan.possibleLengths(),
    belongs: belongsTo(plan),
  };
}

/** By the first digits where the plan names them, else by the patterns of its kinds of numbers. */
function belongsTo(plan: NumberingPlan): Country["belongs"] {
  // Absent values of the library's tables are 0.
  const leading: unknown = plan.leadingDigits();
  if (typeof leading === "string") {
    const first = new RegExp(`^(?:${leading})`);
    return (national) => first.test(national);
  }
  const any = whole(plan.nationalNumberPattern());
  const kindsOf = kinds
    .map((kind) => plan.type(kind))
    .filter((kind) => kind !== undefined && kind.pattern() !== "")
    .map((kind) => ({ pattern: whole(kind!.pattern()), lengths: kind!.possibleLengths() }));
  return (national) =>
    any.test(national) &&
    kindsOf.some(
      ({ pattern, lengths }) => lengths.includes(national.length) && pattern.test(national),
    );
}

const plans = new Map<string, Plan | undefined>();

/** Compiled once for each calling code, of which there are some 220. No calling code is the beginning of another. */
function planOf(digits: string): Plan | undefined {
  for (let length = 1; length <= 3; length++) {
    const callingCode = digits.slice(0, length);
    if (!plans.has(callingCode)) plans.set(callingCode, readPlan(callingCode));
    const plan = plans.get(callingCode);
    if (plan !== undefined) return plan;
  }
  return undefined;
}

function readPlan(callingCode: string): Plan | undefined {
  const [main, ...others] = shared[callingCode] ?? [];
  try {
    return {
      callingCode,
      countries: [readCountry(main ?? callingCode), ...others.map(readCountry)],
    };
  } catch {
    return undefined; // No such calling code.
  }
}

/**
 * Reads a phone number in E.164 form (ITU-T E.164: plus, at most 15 digits) that its numbering plan allows by length. It need not be
 * assigned: `+15550000001` is accepted. Digits of other scripts, blanks and line breaks are refused, and digits are never rewritten: what
 * was written is what is stored and sent. The one exception is the 0 of national notation (`+44 0 7911 …`), which no network
 * takes after a calling code: it is left out, and the answer shows the number without it. Gives undefined when it is no such number.
 */
export function parsePhone(text: string): Phone | undefined {
  if (text.length > 16 || !shape.test(text)) return undefined;
  const digits = text.slice(1);
  const plan = planOf(digits);
  if (plan === undefined) return undefined;
  const { callingCode } = plan;
  const national = digits.slice(callingCode.length);
  if (national.startsWith("0")) {
    const without = `+${callingCode}${national.slice(1)}`;
    if (parsePhoneNumber(text)?.number === without) return parsePhone(without);
  }
  const country = countryOf(plan, national);
  if (
    !(country ?? plan.countries[0]).lengths.includes(national.length) &&
    legacy[callingCode]?.test(national) !== true
  )
    return undefined;
  return { e164: text, country: (country ?? plan.countries[0]).code, callingCode, digits };
}

/** Of the countries that share a calling code the one whose numbers look like this; undefined where none's do. */
function countryOf({ countries }: Plan, national: string): Country | undefined {
  if (countries.length === 1) return countries[0];
  return countries.find(({ belongs }) => belongs(national));
}

/** Whether numbers of a country are known by this code (ISO 3166-1 alpha-2). */
export const isCountry = (code: string): boolean => Object.hasOwn(metadata.countries, code);
