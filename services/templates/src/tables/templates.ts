import type pg from "pg";

/** Templates for lists, without their bodies, and which event made which version. One template is read from its stream. */
export const templatesDdl = `
create table if not exists {schema}.templates (
  id text primary key,
  partner text not null,
  position bigint not null,
  slug text not null,
  channel text not null,
  default_language text not null,
  description text,
  version int not null,
  language_codes text not null, -- JSON
  variables text not null, -- JSON
  created_at text not null,
  updated_at text not null,
  first_language text not null, -- as it was created: what a version means that says none
  first_description text
) with (fillfactor = 70);
create index if not exists templates_partner on {schema}.templates (partner, position);
create table if not exists {schema}.versions (
  template_id text not null,
  version int not null,
  event_id uuid not null,
  primary key (template_id, version)
);
`;

export type TemplateSummary = {
  readonly id: string;
  readonly slug: string;
  readonly channel: string;
  readonly default_language: string;
  readonly description: string | null;
  /** The newest. */
  readonly version: number;
  readonly language_codes: readonly string[];
  readonly variables: Readonly<Record<string, unknown>>;
  readonly created_at: string;
  readonly updated_at: string;
};
/** `position` is what a cursor is made of. */
export type TemplateRow = { readonly position: string; readonly template: TemplateSummary };

/** The partner's templates, newest first: those before a position, or those nearest after it. */
export async function listTemplates(
  pool: pg.Pool,
  query: {
    readonly partner: string;
    readonly limit: number;
    readonly before?: string;
    readonly after?: string;
    readonly channel?: string;
  },
): Promise<readonly TemplateRow[]> {
  const backwards = query.after !== undefined;
  const { rows } = await pool.query({
    name: `templates_list_${backwards}`,
    text: `select position::text, id, slug, channel, default_language, description, version, language_codes, variables, created_at, updated_at
      from templates.templates t
      where partner = $1 and ($2::bigint is null or position ${backwards ? ">" : "<"} $2) and ($3::text is null or channel = $3)
      order by t.position ${backwards ? "" : "desc"} limit $4`,
    values: [
      query.partner,
      query.after ?? query.before ?? null,
      query.channel ?? null,
      query.limit,
    ],
  });
  const found = rows.map(({ position, language_codes, variables, ...rest }): TemplateRow => ({
    position,
    template: {
      ...rest,
      language_codes: JSON.parse(language_codes),
      variables: JSON.parse(variables),
    },
  }));
  return backwards ? found.reverse() : found;
}

/** SQLSTATE of a schema or table that is not there yet. */
const missing = new Set(["3F000", "42P01"]);

/**
 * Which version of a template an event made, and up to which version every event is known here: those after it have to be looked for in
 * the stream.
 */
export async function findTemplateVersion(
  pool: pg.Pool,
  templateId: string,
  eventId: string,
): Promise<{ readonly version: number | undefined; readonly known: number }> {
  try {
    const { rows } = await pool.query({
      name: "templates_version",
      text: `select min(version) filter (where event_id = $2) as version, case when min(version) = 1 then count(*)::int else 0 end as known
        from templates.versions where template_id = $1`,
      values: [templateId, eventId],
    });
    const { version, known } = rows[0] as { version: number | null; known: number };
    return { version: version ?? undefined, known };
  } catch (error) {
    if (missing.has((error as { code?: string }).code ?? ""))
      return { version: undefined, known: 0 };
    throw error;
  }
}
