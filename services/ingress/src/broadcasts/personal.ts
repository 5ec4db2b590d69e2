import type { SendMessage } from "@heliograph/acceptance";
import type { AudienceFields } from "@heliograph/contacts";
import { type TemplateAt, nearestLanguage, shownValue, templateMissing } from "@heliograph/domain";
import type { TemplateCache } from "../messages/templates.ts";
import type { Created } from "./decide.ts";

type Send = Created["send"];
type Value = string | number | boolean;
type Asked = NonNullable<Send["variables"]>[string];
type OfContact = Exclude<Asked, Value>;

/** What is known of a contact. */
export type Contact = Pick<AudienceFields, "name" | "language" | "client_ref" | "attributes">;
/** What one contact is sent. */
export type Said = Omit<Send, "language" | "variables"> &
  Pick<SendMessage, "language" | "variables">;

const isOfContact = (asked: Asked | undefined): asked is OfContact => typeof asked === "object";

/** The variables that each contact has values of its own for. */
export const ownVariables = ({ variables = {} }: Send): readonly string[] =>
  Object.keys(variables).filter((name) => isOfContact(variables[name]));

export const isPersonal = (send: Send): boolean =>
  isOfContact(send.language) || ownVariables(send).length > 0;

/**
 * The template of a broadcast that says something else to each contact, the version that is named or else the newest; undefined where everybody is said the same, or where none is named. Throws `template_not_found`.
 */
export async function templateOf(
  templates: Pick<TemplateCache, "get">,
  account: string,
  send: Send,
): Promise<TemplateAt | undefined> {
  const ref = refOf(send);
  if (ref === undefined || !isPersonal(send)) return undefined;
  const { channel } = send;
  const found = await templates.get(account, channel, ref.slug, ref.version);
  if (found === undefined) throw templateMissing({ ...ref, channel }, "template");
  return found;
}
/** The newest version of a template that is named without one, for a broadcast to keep to; undefined where a version is named, or nothing is there. */
export async function newestVersion(
  templates: Pick<TemplateCache, "get">,
  account: string,
  send: Send,
): Promise<number | undefined> {
  const ref = refOf(send);
  if (ref === undefined || ref.version !== undefined) return undefined;
  return (await templates.get(account, send.channel, ref.slug))?.number;
}

/** A send whose template has this version, if it names none itself. */
export function pinned(send: Send, version: number | undefined): Send {
  const ref = refOf(send);
  return ref === undefined || version === undefined
    ? send
    : { ...send, template: { version, ...ref } };
}

const refOf = ({ template }: Send) =>
  typeof template === "string" ? { slug: template } : template;

/** What a contact is sent, or the variables that it has no value for. */
export function saidTo(
  send: Send,
  template: TemplateAt | undefined,
  contact: Contact,
): { readonly said: Said } | { readonly lacking: readonly string[] } {
  const lacking: string[] = [];
  const variables: Record<string, Value> = {};
  for (const [name, asked] of Object.entries(send.variables ?? {})) {
    const declared = template?.version.variables[name];
    const value = isOfContact(asked) ? (fieldOf(contact, asked.contact) ?? asked.default) : asked;
    if (value === undefined) {
      if (declared?.required !== false) lacking.push(name);
    } else
      variables[name] =
        isOfContact(asked) && declared?.type === "string" ? shownValue(value) : value;
  }
  if (lacking.length > 0) return { lacking };
  const language = languageFor(send, template, contact.language);
  return { said: filled(send, template, language, variables) };
}

/** What a contact could be sent with every default, and with values in place of them, in each language that there is: what is wrong there is wrong whoever it is for. */
export function examplesOf(send: Send, template: TemplateAt | undefined): readonly Said[] {
  const { language } = send;
  const languages =
    isOfContact(language) && template !== undefined
      ? [...Object.keys(template.version.languages), languageFor(send, template, null)]
      : [languageFor(send, template, null)];
  const fills = [true, false].map((withDefaults) =>
    Object.fromEntries(
      Object.entries(send.variables ?? {}).map(([name, asked]) => {
        if (!isOfContact(asked)) return [name, asked];
        const example = examples[template?.version.variables[name]?.type ?? "string"];
        return [name, withDefaults ? (asked.default ?? example) : example];
      }),
    ),
  );
  return languages.flatMap((each) =>
    fills.map((variables) => filled(send, template, each, variables)),
  );
}
const examples: Readonly<Record<"string" | "number" | "boolean", Value>> = {
  string: "x",
  number: 0,
  boolean: false,
};

/** The version is named: what was filled in is for that one. */
function filled(
  { language: _, variables: __, ...send }: Send,
  template: TemplateAt | undefined,
  language: string | undefined,
  variables: Readonly<Record<string, Value>>,
): Said {
  const ref = refOf(send);
  return {
    ...send,
    ...(ref !== undefined && {
      template: template === undefined ? ref : { ...ref, version: template.number },
    }),
    ...(language !== undefined && { language }),
    ...(Object.keys(variables).length > 0 && { variables }),
  };
}

function languageFor(
  { language }: Send,
  template: TemplateAt | undefined,
  own: string | null,
): string | undefined {
  if (!isOfContact(language)) return language;
  const wanted = own === null || template === undefined ? undefined : own;
  const found = wanted === undefined ? undefined : nearestLanguage(template!.version, wanted);
  return found ?? (typeof language.default === "string" ? language.default : undefined);
}

/** A field of a contact; blanks are none. */
function fieldOf(contact: Contact, path: string): Value | undefined {
  const value = path.startsWith(attribute)
    ? own(contact.attributes, path.slice(attribute.length))
    : contact[path as "name" | "language" | "client_ref"];
  return typeof value === "string" && value.trim() === "" ? undefined : (value ?? undefined);
}
const attribute = "attributes.";
const own = <Of>(values: Readonly<Record<string, Of>>, name: string): Of | undefined =>
  Object.hasOwn(values, name) ? values[name] : undefined;
