import { type EventData, deterministicId } from "@heliograph/contracts";
import type { TemplateVersion } from "./templates.ts";

type Created = EventData<"TemplateCreated">;
type Added = EventData<"TemplateVersionAdded">;

/** What names a template to who writes or sends it. */
export type TemplateName = {
  readonly partner: string;
  readonly channel: string;
  readonly slug: string;
};

/**
 * The id of a partner's template follows from channel, slug and how many of that name were deleted before it, and its stream from the id. As a
 * deletion is for good, two that create one of a name meet in one stream, and there are never two.
 */
export const templateId = (
  { partner, channel, slug }: TemplateName,
  deletedBefore: number = 0,
): string =>
  deterministicId(
    "tpl",
    partner,
    channel,
    slug,
    ...(deletedBefore === 0 ? [] : [String(deletedBefore)]),
  );

/**
 * How many templates of a name were deleted, which tells the id of the one that is there or would be the next. `isDeleted` is asked of a few ids,
 * however often a name was given up: those before the answer are deleted, and no other is.
 */
export async function deletedOf(
  name: TemplateName,
  isDeleted: (id: string) => Promise<boolean>,
): Promise<number> {
  const isGone = (number: number): Promise<boolean> => isDeleted(templateId(name, number));
  let from = 0;
  let to = 0;
  for (let step = 1; await isGone(to); step *= 2) {
    from = to + 1;
    to += step;
  }
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (await isGone(middle)) from = middle + 1;
    else to = middle;
  }
  return to;
}

/**
 * A template's stream is its versions in order, and at the end its deletion: `TemplateCreated` is version 1 and each `TemplateVersionAdded` the next
 * one. So one version is one event, found by its number, and nobody has to read a stream of hundreds of versions of 250 KB each.
 */
export const revisionOfVersion = (version: number): number => version - 1;

/** Nobody needs the five-hundredth version of a text; a number beyond it names none. */
export const maxTemplateVersions = 500;

export const templateVersionTypes = ["TemplateCreated", "TemplateVersionAdded"] as const;
export const templateTypes = [...templateVersionTypes, "TemplateDeleted"] as const;

/** One version of a template, as a send needs it. */
export type TemplateAt = {
  readonly id: string;
  readonly slug: string;
  readonly number: number;
  readonly version: TemplateVersion;
};

type Said = Pick<Added, "default_language" | "description">;

/** What a version says beside its texts, or the stream's first event where it does not. */
export const saidIn = (
  created: Pick<Created, "default_language" | "description">,
  { default_language = created.default_language, description = created.description }: Said,
): { readonly default_language: string; readonly description: string | null } => ({
  default_language,
  description: description ?? null,
});

/** The version in `event`, with what stands only in the stream's first event. */
export const templateAt = (
  created: Pick<Created, "default_language">,
  { template_id, slug, version, languages, variables, default_language }: Added,
): TemplateAt => ({
  id: template_id,
  slug,
  number: version,
  version: {
    languages,
    variables,
    default_language: default_language ?? created.default_language,
  },
});
