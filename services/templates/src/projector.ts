import type { EventData } from "@heliograph/contracts";
import { templateTypes } from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import { projector, type WritePart } from "@heliograph/runtime";
import { templatesDdl } from "./tables/templates.ts";

type Version = {
  readonly id: string;
  readonly version: number;
  readonly language_codes: string;
  readonly variables: string;
  readonly updated_at: string;
};
type Created = Version & {
  readonly partner: string;
  readonly position: bigint;
  readonly slug: string;
  readonly channel: string;
  readonly default_language: string;
  readonly description: string | null;
  readonly created_at: string;
};

const versionOf = (data: EventData<"TemplateVersionAdded">): Version => ({
  id: data.template_id,
  version: data.version,
  language_codes: JSON.stringify(Object.keys(data.languages)),
  variables: JSON.stringify(data.variables),
  updated_at: data.created_at,
});

type TemplateEvent = RecordedEvent<(typeof templateTypes)[number]>;

function project(events: readonly TemplateEvent[]): readonly WritePart[] {
  const created = new Map<string, Created>();
  const changed = new Map<string, Version>();
  for (const { type, data, metadata, position } of events) {
    const version = versionOf(data);
    if (type === "TemplateCreated")
      created.set(version.id, {
        ...version,
        partner: metadata.partner!,
        position,
        slug: data.slug,
        channel: data.channel,
        default_language: data.default_language,
        description: data.description ?? null,
        created_at: data.created_at,
      });
    else {
      // Made in this very batch: one row is written once.
      const own = created.get(version.id);
      if (own === undefined) changed.set(version.id, version);
      else created.set(version.id, { ...own, ...version });
    }
  }
  return [
    ...insert([...created.values()]),
    ...update([...changed.values()]),
    ...insertVersions(events),
  ];
}

/** A replayed batch is fenced by its checkpoint, so an event comes here once. */
const insertVersions = (events: readonly TemplateEvent[]): readonly WritePart[] =>
  events.length === 0
    ? []
    : [
        {
          name: "templates_versions",
          sql: `insert into {schema}.versions (template_id, version, event_id) select * from unnest($1::text[], $2::int[], $3::uuid[])`,
          values: [
            events.map(({ data }) => data.template_id),
            events.map(({ data }) => data.version),
            events.map(({ id }) => id),
          ],
        },
      ];

function insert(rows: readonly Created[]): readonly WritePart[] {
  if (rows.length === 0) return [];
  const column = (key: keyof Created): unknown[] => rows.map((row) => row[key]);
  return [
    {
      name: "templates_insert",
      sql: `insert into {schema}.templates (id, partner, position, slug, channel, default_language, description, version, language_codes, variables, created_at, updated_at)
        select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[], $9::text[], $10::text[], $11::text[], $12::text[])`,
      values: [
        column("id"),
        column("partner"),
        column("position"),
        column("slug"),
        column("channel"),
        column("default_language"),
        column("description"),
        column("version"),
        column("language_codes"),
        column("variables"),
        column("created_at"),
        column("updated_at"),
      ],
    },
  ];
}

function update(rows: readonly Version[]): readonly WritePart[] {
  if (rows.length === 0) return [];
  const column = (key: keyof Version): unknown[] => rows.map((row) => row[key]);
  return [
    {
      name: "templates_update",
      sql: `update {schema}.templates as t set version = v.version, language_codes = v.language_codes, variables = v.variables, updated_at = v.updated_at
        from unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[]) as v(id, version, language_codes, variables, updated_at)
        where t.id = v.id`,
      values: [
        column("id"),
        column("version"),
        column("language_codes"),
        column("variables"),
        column("updated_at"),
      ],
    },
  ];
}

/** Lists of templates, and which command made which version; sends and single reads take the events themselves. */
export const templatesProjector = projector({
  kind: "projector",
  name: "templates",
  schema: "templates",
  // 2: the index of versions.
  version: 2,
  types: templateTypes,
  ddl: templatesDdl,
  create: () => ({ project }),
});
