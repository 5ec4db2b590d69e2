import type { EventData, FieldError } from "@heliograph/contracts";
import { isLongerThan } from "./characters.ts";
import { canonicalLanguage } from "./language.ts";
import { plainNumber } from "./plain-number.ts";

type Version = EventData<"TemplateVersionAdded">;
export type TemplateBody = Version["languages"][string];
export type TemplateVariable = Version["variables"][string];
/** One version of a template as rendering needs it. */
export type TemplateVersion = Pick<Version, "languages" | "variables"> & {
  readonly default_language: string;
};
export type Variables = Readonly<Record<string, unknown>>;
export type VariableValues = Record<string, string | number | boolean>;

export type Rendered =
  | {
      readonly kind: "rendered";
      readonly language: string;
      readonly variables: VariableValues;
      readonly text?: string;
      readonly subject?: string;
      readonly html?: string;
    }
  | {
      readonly kind: "language_missing";
      readonly language: string;
      readonly available: readonly string[];
    }
  | { readonly kind: "invalid"; readonly errors: readonly FieldError[] };

/** A value without `max_length` may have this many characters: the longest SMS that networks carry is shorter. */
const DEFAULT_MAX_LENGTH = 1600;
const placeholder = /\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}/g;

/** Literal, name, literal, name, … literal: an odd number of parts. */
type Parts = readonly string[];
const compiledBodies = new WeakMap<
  TemplateBody,
  { readonly text?: Parts; readonly subject?: Parts; readonly html?: Parts }
>();

function compile(body: TemplateBody) {
  let parts = compiledBodies.get(body);
  if (parts !== undefined) return parts;
  parts = {
    ...(body.text === undefined ? {} : { text: body.text.split(placeholder) }),
    ...(body.subject === undefined ? {} : { subject: body.subject.split(placeholder) }),
    ...(body.html === undefined ? {} : { html: body.html.split(placeholder) }),
  };
  compiledBodies.set(body, parts);
  return parts;
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const special = /[&<>"']/g;
/** Safe inside HTML text and quoted attributes. */
const escapeHtml = (text: string): string =>
  text.replace(special, (character) => entities[character]!);

/** A value as it stands in a text. */
export const shownValue = (value: string | number | boolean): string =>
  typeof value === "number" ? plainNumber(value) : String(value);

function fill(parts: Parts, values: VariableValues, escape?: (text: string) => string): string {
  let text = parts[0]!;
  for (let index = 1; index < parts.length; index += 2) {
    const name = parts[index]!;
    const value = Object.hasOwn(values, name) ? shownValue(values[name]!) : "";
    text += (escape === undefined ? value : escape(value)) + parts[index + 1]!;
  }
  return text;
}

function checkValue(
  name: string,
  variable: TemplateVariable,
  value: unknown,
  inSubject: boolean,
): FieldError | undefined {
  const path = `variables.${name}`;
  if (typeof value !== variable.type || (typeof value === "number" && !Number.isFinite(value)))
    return { path, code: "wrong_type", message: `${name} must be a ${variable.type}` };
  if (typeof value !== "string") return undefined;
  const maxLength = variable.max_length ?? DEFAULT_MAX_LENGTH;
  if (isLongerThan(value, maxLength))
    return { path, code: "too_long", message: `${name} may have at most ${maxLength} characters` };
  if (value.includes("\u0000") || !value.isWellFormed())
    return {
      path,
      code: "invalid_characters",
      message: `${name} holds a NUL or half a surrogate pair`,
    };
  if (inSubject && /[\r\n]/.test(value))
    return {
      path,
      code: "line_break",
      message: `${name} stands in the subject and may not contain a line break`,
    };
  return undefined;
}

function checkVariables(
  version: TemplateVersion,
  subject: Parts | undefined,
  given: Variables,
): { values: VariableValues; errors: FieldError[] } {
  const errors: FieldError[] = [];
  const values: VariableValues = {};
  const inSubject = new Set(subject?.filter((_, index) => index % 2 === 1));
  for (const [name, variable] of Object.entries(version.variables)) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined) {
      if (variable.required !== false)
        errors.push({ path: `variables.${name}`, code: "required", message: `${name} is missing` });
      continue;
    }
    const error = checkValue(name, variable, value, inSubject.has(name));
    if (error === undefined) values[name] = value as string | number | boolean;
    else errors.push(error);
  }
  for (const name of Object.keys(given))
    if (!Object.hasOwn(version.variables, name))
      errors.push({
        path: `variables.${name.slice(0, 64)}`,
        code: "unknown",
        message: "the template has no such variable",
      });
  return { values, errors };
}

/** The version's own spelling of a language: old versions have theirs as they were written. */
function languageIn({ languages }: TemplateVersion, wanted: string): string | undefined {
  if (Object.hasOwn(languages, wanted)) return wanted;
  const canonical = canonicalLanguage(wanted);
  return Object.keys(languages).find((language) => canonicalLanguage(language) === canonical);
}

/** The version's language that is nearest to one that is wanted: itself, or with its last parts left out, as `pt` for `pt-BR` (RFC 4647, 3.4). */
export function nearestLanguage(version: TemplateVersion, wanted: string): string | undefined {
  const parts = canonicalLanguage(wanted).split("-");
  for (let length = parts.length; length > 0; length--) {
    const found = languageIn(version, parts.slice(0, length).join("-"));
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Renders one language of a version. Every variable must be given (unless `required: false`, which renders as nothing) with its declared
 * type and length, and none that the version does not declare. Values are put in literally, never read as template text, and are escaped in
 * `html`. A language that is absent is `language_missing`, or falls back on the default language when `onMissingLanguage` says so.
 */
export function renderTemplate(
  version: TemplateVersion,
  language: string | undefined,
  variables: Variables,
  onMissingLanguage: "error" | "default" = "error",
): Rendered {
  const wanted = language ?? version.default_language;
  const used =
    languageIn(version, wanted) ??
    (onMissingLanguage === "default" ? languageIn(version, version.default_language) : undefined);
  const body = used === undefined ? undefined : version.languages[used];
  if (used === undefined || body === undefined)
    return {
      kind: "language_missing",
      language: wanted,
      available: Object.keys(version.languages),
    };
  const parts = compile(body);
  const { values, errors } = checkVariables(version, parts.subject, variables);
  if (errors.length > 0) return { kind: "invalid", errors };
  return {
    kind: "rendered",
    language: used,
    variables: values,
    ...(parts.text === undefined ? {} : { text: fill(parts.text, values) }),
    ...(parts.subject === undefined ? {} : { subject: fill(parts.subject, values) }),
    ...(parts.html === undefined ? {} : { html: fill(parts.html, values, escapeHtml) }),
  };
}

/** What is wrong with a version that is about to be stored: placeholders that are not declared, line breaks in a subject, no body. */
export function checkTemplate(version: TemplateVersion): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (languageIn(version, version.default_language) === undefined)
    errors.push({
      path: "default_language",
      code: "not_found",
      message: `there is no body for ${version.default_language}`,
    });
  for (const [language, body] of Object.entries(version.languages)) {
    const path = `languages.${language}`;
    if (body.text === undefined && body.html === undefined)
      errors.push({ path, code: "required", message: "a body needs text or html" });
    if (body.subject !== undefined && /[\r\n]/.test(body.subject))
      errors.push({
        path: `${path}.subject`,
        code: "line_break",
        message: "a subject may not contain a line break",
      });
    for (const [field, parts] of Object.entries(compile(body)))
      for (let index = 1; index < parts.length; index += 2)
        if (!Object.hasOwn(version.variables, parts[index]!))
          errors.push({
            path: `${path}.${field}`,
            code: "unknown",
            message: `{{${parts[index]}}} is not declared in variables`,
          });
  }
  return errors;
}
