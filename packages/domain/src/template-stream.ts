import { type EventData, deterministicId } from "@heliograph/contracts";
import type { TemplateVersion } from "./templates.ts";

type Created = EventData<"TemplateCreated">;
type Added = EventData<"TemplateVersionAdded">;

/** The id of a partner's template follows from channel and slug, and its stream from the id. */
export const templateId = (partner: string, channel: string, slug: string): string =>
  deterministicId("tpl", partner, channel, slug);

/**
 * A template's stream is its versions in order: `TemplateCreated` is version 1 and each `TemplateVersionAdded` the next one. So one
 * version is one event, found by its number, and nobody has to read a stream of hundreds of versions of 250 KB each.
 */
export const revisionOfVersion = (version: number): number => version - 1;

/** Nobody needs the five-hundredth version of a text; a number beyond it names none. */
export const maxTemplateVersions = 500;

export const templateTypes = ["TemplateCreated", "TemplateVersionAdded"] as const;

/** One version of a template, as a send needs it. */
export type TemplateAt = {
  readonly id: string;
  readonly slug: string;
  readonly number: number;
  readonly version: TemplateVersion;
};

/** The version in `event`, with what stands only in the stream's first event. */
export const templateAt = (
  created: Pick<Created, "default_language">,
  { template_id, slug, version, languages, variables }: Added,
): TemplateAt => ({
  id: template_id,
  slug,
  number: version,
  version: { languages, variables, default_language: created.default_language },
});
