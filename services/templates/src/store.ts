import type { templateTypes, templateVersionTypes } from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import type { WritePart } from "@heliograph/runtime";

export type TemplateEvent = RecordedEvent<(typeof templateTypes)[number]>;
export type VersionEvent = RecordedEvent<(typeof templateVersionTypes)[number]>;

/** What a version changes of its template's row. */
export type VersionRow = {
  readonly id: string;
  readonly version: number;
  readonly language_codes: string;
  readonly variables: string;
  /** Left out: as the template was created, like in every other read (`saidIn`). */
  readonly default_language?: string;
  readonly description?: string | null;
  readonly updated_at: string;
};
export type CreatedRow = VersionRow & {
  readonly partner: string;
  readonly position: bigint;
  readonly slug: string;
  readonly channel: string;
  readonly default_language: string;
  readonly description: string | null;
  readonly first_language: string;
  readonly first_description: string | null;
  readonly created_at: string;
};

/** A replayed batch is fenced by its checkpoint, so an event comes here once. */
export const insertVersions = (events: readonly VersionEvent[]): readonly WritePart[] =>
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

export function insertTemplates(rows: readonly CreatedRow[]): readonly WritePart[] {
  if (rows.length === 0) return [];
  const column = (key: keyof CreatedRow): unknown[] => rows.map((row) => row[key]);
  return [
    {
      name: "templates_insert",
      sql: `insert into {schema}.templates (id, partner, position, slug, channel, default_language, description, version, language_codes, variables, created_at, updated_at, first_language, first_description)
        select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])`,
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
        column("first_language"),
        column("first_description"),
      ],
    },
  ];
}

export function updateTemplates(rows: readonly VersionRow[]): readonly WritePart[] {
  if (rows.length === 0) return [];
  const column = (key: keyof VersionRow): unknown[] => rows.map((row) => row[key]);
  return [
    {
      name: "templates_update",
      sql: `update {schema}.templates as t set version = v.version, language_codes = v.language_codes, variables = v.variables, updated_at = v.updated_at,
          default_language = coalesce(v.default_language, t.first_language), description = case when v.described then v.description else t.first_description end
        from unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bool[])
          as v(id, version, language_codes, variables, updated_at, default_language, description, described)
        where t.id = v.id`,
      values: [
        column("id"),
        column("version"),
        column("language_codes"),
        column("variables"),
        column("updated_at"),
        rows.map((row) => row.default_language ?? null),
        rows.map((row) => row.description ?? null),
        rows.map((row) => row.description !== undefined),
      ],
    },
  ];
}

/** Their versions too. */
export const dropTemplates = (ids: readonly string[]): readonly WritePart[] =>
  ids.length === 0
    ? []
    : [
        {
          name: "templates_drop",
          sql: "delete from {schema}.templates where id = any($1::text[])",
          values: [ids],
        },
        {
          name: "templates_drop_versions",
          sql: "delete from {schema}.versions where template_id = any($1::text[])",
          values: [ids],
        },
      ];
