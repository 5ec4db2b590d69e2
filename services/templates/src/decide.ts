import { isDeepStrictEqual } from "node:util";
import { shapeFaults } from "@heliograph/channels";
import type { Channel, EventData, FieldError } from "@heliograph/contracts";
import {
  type TemplateBody,
  type TemplateVariable,
  type TemplateVersion,
  canonicalLanguage,
  checkTemplate,
  maxTemplateVersions,
  saidIn,
} from "@heliograph/domain";

export type Created = EventData<"TemplateCreated">;
export type Version = EventData<"TemplateVersionAdded">;

/** What a version is made of, as it was asked for. */
export type Texts = {
  readonly languages: Readonly<Record<string, TemplateBody>>;
  readonly variables?: Readonly<Record<string, TemplateVariable>> | undefined;
};
/** Of the version after: what is left out is as it was. */
type NextVersion = Texts & {
  readonly default_language?: string | undefined;
  readonly description?: string | null | undefined;
};
export type NewTemplate = Texts & {
  readonly slug: string;
  readonly channel: Channel;
  readonly default_language?: string | undefined;
  readonly description?: string | undefined;
};
export type Decided<Event> =
  | { readonly kind: "decided"; readonly data: Event }
  | { readonly kind: "invalid"; readonly errors: readonly FieldError[] }
  | { readonly kind: "full"; readonly most: number };

type Read<Value> = { readonly value: Value } | { readonly errors: readonly FieldError[] };

/** The first version of a template, or what is wrong with it. */
export function decideTemplate(
  command: NewTemplate,
  at: { readonly id: string; readonly createdAt: string },
): Decided<Created> {
  const { slug, channel, description, variables = {} } = command;
  const languages = canonicalLanguages(command.languages);
  if ("errors" in languages) return { kind: "invalid", errors: languages.errors };
  const byDefault = defaultLanguage(command, Object.keys(languages.value));
  if ("errors" in byDefault) return { kind: "invalid", errors: byDefault.errors };
  const version = {
    languages: languages.value,
    variables: { ...variables },
    default_language: byDefault.value,
  };
  const errors = faultsOf(channel, version);
  if (errors.length > 0) return { kind: "invalid", errors };
  const data: Created = {
    template_id: at.id,
    slug,
    version: 1,
    channel,
    ...version,
    ...(description !== undefined && { description }),
    created_at: at.createdAt,
  };
  return { kind: "decided", data };
}

/** The version after `newest`, or what is wrong with it. */
export function decideVersion(
  { created, newest }: { readonly created: Created; readonly newest: Version },
  command: NextVersion,
  createdAt: string,
): Decided<Version> {
  const { template_id, slug, channel } = created;
  const before = saidIn(created, newest);
  const { description = before.description } = command;
  const default_language = canonicalLanguage(command.default_language ?? before.default_language);
  const languages = canonicalLanguages(command.languages);
  if ("errors" in languages) return { kind: "invalid", errors: languages.errors };
  const texts = { languages: languages.value, variables: { ...command.variables } };
  const errors = faultsOf(channel, { ...texts, default_language });
  if (errors.length > 0) return { kind: "invalid", errors };
  if (newest.version >= maxTemplateVersions) return { kind: "full", most: maxTemplateVersions };
  const version = newest.version + 1;
  return {
    kind: "decided",
    data: {
      template_id,
      slug,
      version,
      ...texts,
      default_language,
      description,
      created_at: createdAt,
    },
  };
}

type Patch = {
  readonly languages?: Readonly<Record<string, object | null>> | undefined;
  readonly variables?: Readonly<Record<string, object | null>> | undefined;
  readonly default_language?: string | undefined;
  readonly description?: string | null | undefined;
};

/** The newest version with what changes of it (RFC 7396). Of two spellings of one language both stay, so that the version is refused as one that has it twice. */
export function patched(newest: Texts, { languages = {}, variables = {} }: Patch) {
  const named = Object.entries(languages).map(([written, body]) => {
    const language = canonicalLanguage(written);
    return [Object.hasOwn(newest.languages, language) ? language : written, body] as const;
  });
  const twice = new Set(named.map(([language]) => language)).size < named.length;
  const changes = twice ? languages : Object.fromEntries(named);
  return {
    languages: merged(newest.languages, changes),
    variables: merged(newest.variables ?? {}, variables),
  };
}

/** Whether a patch says only what the newest version has already: it then makes no version of its own. */
export function changesNothing(
  { created, newest }: { readonly created: Created; readonly newest: Version },
  patch: Patch,
): boolean {
  const before = saidIn(created, newest);
  const { default_language: language = before.default_language } = patch;
  const { description = before.description } = patch;
  return (
    isDeepStrictEqual(patched(newest, patch), patched(newest, {})) &&
    canonicalLanguage(language) === canonicalLanguage(before.default_language) &&
    description === before.description
  );
}

function merged(value: object, patch: object): Record<string, unknown> {
  const result = new Map(Object.entries(value));
  for (const [key, change] of Object.entries(patch)) {
    const before: unknown = result.get(key);
    if (change === null) result.delete(key);
    else if (typeof change === "object")
      result.set(key, merged(typeof before === "object" && before !== null ? before : {}, change));
    else result.set(key, change);
  }
  return Object.fromEntries(result);
}

/** The bodies by the one form of their languages. */
function canonicalLanguages(languages: Texts["languages"]): Read<Record<string, TemplateBody>> {
  const bodies: Record<string, TemplateBody> = {};
  for (const [written, body] of Object.entries(languages)) {
    const language = canonicalLanguage(written);
    if (Object.hasOwn(bodies, language)) {
      const message = `${language} is there twice`;
      return { errors: [{ path: `languages.${written}`, code: "duplicate", message }] };
    }
    bodies[language] = body;
  }
  return { value: bodies };
}

/** The one that was named, the one there is, or English. */
function defaultLanguage(command: NewTemplate, languages: readonly string[]): Read<string> {
  const language =
    command.default_language === undefined
      ? languages.length === 1
        ? languages[0]
        : languages.find((item) => item === "en")
      : canonicalLanguage(command.default_language);
  return language === undefined
    ? {
        errors: [
          {
            path: "default_language",
            code: "required",
            message: "there are several languages: say which one is the default",
          },
        ],
      }
    : { value: language };
}

const fields = ["text", "subject", "html"] as const;
const placeholder = /\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}/g;

/** What of a body a channel cannot carry, or misses. A body with neither text nor html is named as a whole already. */
const bodyErrors = (channel: Channel, path: string, body: TemplateBody): readonly FieldError[] =>
  shapeFaults(channel, body)
    .filter(
      (fault) => fault.path === "subject" || body.text !== undefined || body.html !== undefined,
    )
    .map((fault) => ({ ...fault, path: `${path}.${fault.path}` }));

/**
 * A `{{` that opens no placeholder is a mistake: the recipient would read it. So is the third brace of `{{{name}}}`, which other engines have
 * for values that are not escaped.
 */
function strayBraces(path: string, body: TemplateBody): readonly FieldError[] {
  const filled = "\u0000";
  return fields
    .filter((field) => {
      const rest = body[field]?.replaceAll(placeholder, filled) ?? "";
      return rest.includes("{{") || rest.includes(`{${filled}`);
    })
    .map((field) => ({
      path: `${path}.${field}`,
      code: "invalid_placeholder",
      message: "a placeholder is {{name}}: a letter or _, then letters, digits and _",
    }));
}

/** Placeholders and variables must name each other, and every body must fit its channel. */
function faultsOf(channel: Channel, version: TemplateVersion): readonly FieldError[] {
  const errors: FieldError[] = [...checkTemplate(version)];
  const used = new Set<string>();
  for (const [language, body] of Object.entries(version.languages)) {
    const path = `languages.${language}`;
    errors.push(...bodyErrors(channel, path, body), ...strayBraces(path, body));
    for (const field of fields)
      for (const [, name] of body[field]?.matchAll(placeholder) ?? []) used.add(name!);
  }
  for (const name of Object.keys(version.variables))
    if (!used.has(name))
      errors.push({
        path: `variables.${name}`,
        code: "unused",
        message: `no body holds {{${name}}}`,
      });
  return errors;
}
