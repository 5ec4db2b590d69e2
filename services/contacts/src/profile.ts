import type { FieldError } from "@heliograph/contracts";
import { canonicalLanguage, isLongerThan, parseTime } from "@heliograph/domain";
import { erasedText } from "@heliograph/vault";

export type AttributeType = "text" | "number" | "boolean" | "date";
export type AttributeValue = string | number | boolean;
/** A removed attribute has no value; its type stays. */
export type Attribute = { readonly type: AttributeType; readonly value: AttributeValue | null };

/** What is known of a person besides name and external ids. */
export type Profile = {
  readonly language: string | null;
  readonly time_zone: string | null;
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly tags: readonly string[];
  readonly client_ref: string | null;
};
/** All of a person that a request may set. */
export type Fields = Profile & { readonly name: string | null };
/** A merge patch (RFC 7396): what is absent stays, null removes. */
export type FieldsPatch = {
  readonly name?: string | null | undefined;
  readonly language?: string | null | undefined;
  readonly time_zone?: string | null | undefined;
  readonly attributes?: Readonly<Record<string, AttributeValue | null>> | null | undefined;
  readonly tags?: readonly string[] | null | undefined;
  readonly client_ref?: string | null | undefined;
};

export const noFields: Fields = {
  name: null,
  language: null,
  time_zone: null,
  attributes: {},
  tags: [],
  client_ref: null,
};

const maxAttributes = 100;
/** Each item has a bound of its own; two of these together, which is what a merge makes at most, fit the event, whose sealed profile has 80,000. */
const maxProfileCharacters = 30_000;

export const profileText = ({ name: _, ...profile }: Fields): string => JSON.stringify(profile);

/** Reads what `profileText` wrote; nothing is left of one whose key was destroyed. */
export const parseProfile = (text: string): Profile =>
  text === erasedText ? noFields : (JSON.parse(text) as Profile);

/** The attributes as they are shown: those that have a value. */
export const attributeValues = ({ attributes }: Pick<Profile, "attributes">) =>
  Object.fromEntries(
    Object.entries(attributes).flatMap(([key, { value }]) =>
      value === null ? [] : [[key, value]],
    ),
  ) as Record<string, AttributeValue>;

export type Patched =
  | { readonly fields: Fields; readonly changed: readonly (keyof Fields)[] }
  | { readonly errors: readonly FieldError[] };

/** Applies a patch, or says what is wrong with it: then nothing of it counts. `changed` is empty where it changes nothing. */
export function patchFields(before: Fields, patch: FieldsPatch): Patched {
  const errors: FieldError[] = [];
  const given = <Key extends "name" | "language" | "time_zone" | "client_ref">(key: Key) =>
    patch[key] === undefined ? before[key] : (patch[key] ?? null);
  const written = given("language");
  const fields: Fields = {
    name: given("name"),
    language: written === null ? null : canonicalLanguage(written),
    time_zone: given("time_zone"),
    client_ref: given("client_ref"),
    tags: patch.tags === undefined ? before.tags : [...new Set(patch.tags ?? [])],
    attributes: patchAttributes(before.attributes, patch.attributes, errors),
  };
  if (fields.time_zone !== null && !isTimeZone(fields.time_zone))
    errors.push({
      path: "time_zone",
      code: "invalid_time_zone",
      message: "must be a name of the IANA time zone database, such as Europe/Berlin",
    });
  errors.push(...sizeFaults(fields));
  if (errors.length > 0) return { errors };
  const names = Object.keys(noFields) as (keyof Fields)[];
  return { fields, changed: names.filter((key) => !same(before[key], fields[key])) };
}

/** What of a whole profile is too much. */
export function sizeFaults(fields: Fields): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (Object.keys(fields.attributes).length > maxAttributes)
    errors.push({
      path: "attributes",
      code: "too_big",
      message: `must be at most ${maxAttributes}, those that once were among them`,
    });
  if (isLongerThan(profileText(fields), maxProfileCharacters))
    errors.push({
      path: "",
      code: "too_long",
      message: `tags, attributes and the rest have more than ${maxProfileCharacters} characters together`,
    });
  return errors;
}

function patchAttributes(
  before: Profile["attributes"],
  patch: FieldsPatch["attributes"],
  errors: FieldError[],
): Profile["attributes"] {
  if (patch === undefined) return before;
  const attributes = new Map(Object.entries(before));
  const values =
    patch === null ? Object.keys(before).map((key) => [key, null] as const) : Object.entries(patch);
  for (const [key, value] of values) {
    const known = attributes.get(key);
    if (value === null) {
      if (known !== undefined) attributes.set(key, { type: known.type, value: null });
      continue;
    }
    const type = known?.type ?? typeOf(value);
    if (!isOfType(value, type))
      errors.push({
        path: `attributes.${key}`,
        code: "invalid_type",
        message: `is a ${type}: the type that an attribute was given first stays`,
      });
    attributes.set(key, { type, value });
  }
  return Object.fromEntries(attributes);
}

/** A day, or an instant as RFC 3339 writes it. */
const isDate = (value: AttributeValue): boolean =>
  typeof value === "string" &&
  (/^\d{4}-\d{2}-\d{2}$/.test(value)
    ? parseTime(`${value}T00:00:00Z`) !== undefined
    : parseTime(value) !== undefined);

function typeOf(value: AttributeValue): AttributeType {
  if (typeof value === "number") return "number";
  if (typeof value === "boolean") return "boolean";
  return isDate(value) ? "date" : "text";
}

/** Any string is a text, one that looks like a date too. */
const isOfType = (value: AttributeValue, type: AttributeType): boolean =>
  type === "text" ? typeof value === "string" : typeOf(value) === type;

function isTimeZone(name: string): boolean {
  // Offsets are read as zones too, but have no rules of summer time.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

const same = (left: unknown, right: unknown): boolean =>
  JSON.stringify(left) === JSON.stringify(right);

/** What a survivor lacked and gained in a merge. An attribute is `absent` where it was never there, `empty` where only its type was. */
export type Gained = {
  readonly fields: readonly ("name" | "language" | "time_zone" | "client_ref")[];
  readonly attributes: Readonly<Record<string, "absent" | "empty">>;
  readonly tags: readonly string[];
};
const single = ["name", "language", "time_zone", "client_ref"] as const;

/** The survivor gains what it lacks and keeps what it has; tags are a union. */
export function mergeFields(
  into: Fields,
  from: Fields,
): { readonly fields: Fields; readonly gained: Gained } {
  const attributes: Record<string, "absent" | "empty"> = {};
  for (const [key, { type, value }] of Object.entries(from.attributes)) {
    const own = Object.hasOwn(into.attributes, key) ? into.attributes[key] : undefined;
    if (value === null) continue;
    if (own === undefined) attributes[key] = "absent";
    else if (own?.value === null && own.type === type) attributes[key] = "empty";
  }
  const gained: Gained = {
    fields: single.filter((key) => into[key] === null && from[key] !== null),
    attributes,
    tags: from.tags.filter((tag) => !into.tags.includes(tag)),
  };
  const fields: Fields = {
    ...into,
    ...Object.fromEntries(gained.fields.map((key) => [key, from[key]])),
    attributes: {
      ...into.attributes,
      ...Object.fromEntries(Object.keys(attributes).map((key) => [key, from.attributes[key]!])),
    },
    tags: [...into.tags, ...gained.tags],
  };
  return { fields, gained };
}

/** What is still there of what was gained, after a later change: that change is kept when the merge is undone. */
export function stillGained(gained: Gained, before: Fields, after: Fields): Gained {
  const kept = (key: string): boolean => same(before.attributes[key], after.attributes[key]);
  return {
    fields: gained.fields.filter((key) => before[key] === after[key]),
    attributes: Object.fromEntries(Object.entries(gained.attributes).filter(([key]) => kept(key))),
    tags: gained.tags.filter((tag) => after.tags.includes(tag)),
  };
}

/** Takes back what was gained. */
export function withoutGained(fields: Fields, gained: Gained): Fields {
  const attributes = Object.entries(fields.attributes).flatMap(([key, attribute]) => {
    const was = Object.hasOwn(gained.attributes, key) ? gained.attributes[key] : undefined;
    if (was === undefined) return [[key, attribute] as const];
    return was === "empty" ? [[key, { ...attribute, value: null }] as const] : [];
  });
  return {
    ...fields,
    ...Object.fromEntries(gained.fields.map((key) => [key, null])),
    attributes: Object.fromEntries(attributes),
    tags: fields.tags.filter((tag) => !gained.tags.includes(tag)),
  };
}
