import { type EventData, accountOf } from "@heliograph/contracts";
import { templateTypes, templateVersionTypes } from "@heliograph/domain";
import { ofType } from "@heliograph/log";
import { projector, type WritePart } from "@heliograph/runtime";
import {
  type CreatedRow,
  type TemplateEvent,
  type VersionRow,
  dropTemplates,
  insertTemplates,
  insertVersions,
  updateTemplates,
} from "./store.ts";
import { templatesDdl } from "./tables/templates.ts";

const versionOf = (data: EventData<"TemplateVersionAdded">): VersionRow => ({
  id: data.template_id,
  version: data.version,
  language_codes: JSON.stringify(Object.keys(data.languages)),
  variables: JSON.stringify(data.variables),
  ...(data.default_language !== undefined && { default_language: data.default_language }),
  ...(data.description !== undefined && { description: data.description }),
  updated_at: data.created_at,
});

const isDeletion = ofType("TemplateDeleted");
const isVersion = ofType(...templateVersionTypes);

function project(events: readonly TemplateEvent[]): readonly WritePart[] {
  const dropped = new Set(events.filter(isDeletion).map(({ data }) => data.template_id));
  // All parts see the tables as they were before: of what is deleted in this very batch nothing is written.
  const kept = events.filter(isVersion).filter(({ data }) => !dropped.has(data.template_id));
  const created = new Map<string, CreatedRow>();
  const changed = new Map<string, VersionRow>();
  for (const { type, data, metadata, position } of kept) {
    const version = versionOf(data);
    if (type === "TemplateCreated")
      created.set(version.id, {
        ...version,
        partner: accountOf(metadata.partner!),
        position,
        slug: data.slug,
        channel: data.channel,
        default_language: data.default_language,
        description: data.description ?? null,
        first_language: data.default_language,
        first_description: data.description ?? null,
        created_at: data.created_at,
      });
    else {
      // Made in this very batch: one row is written once.
      const own = created.get(version.id);
      if (own === undefined) changed.set(version.id, version);
      else
        created.set(version.id, {
          ...own,
          default_language: own.first_language,
          description: own.first_description,
          ...version,
        });
    }
  }
  return [
    ...insertTemplates([...created.values()]),
    ...updateTemplates([...changed.values()]),
    ...insertVersions(kept),
    ...dropTemplates([...dropped]),
  ];
}

/** Lists of templates, and which command made which version; sends and single reads take the events themselves. */
export const templatesProjector = projector({
  kind: "projector",
  name: "templates",
  schema: "templates",
  // 2: the index of versions; 3: what versions say of the default language and the description.
  version: 3,
  types: templateTypes,
  ddl: templatesDdl,
  create: () => ({ project }),
});
