import type pg from "pg";

/** Templates for lists, without their bodies. Written by services/ingress; one template is read from its stream. */
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
  updated_at text not null
) with (fillfactor = 70);
create index if not exists templates_partner on {schema}.templates (partner, position);
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
      from templates.templates
      where partner = $1 and ($2::bigint is null or position ${backwards ? ">" : "<"} $2) and ($3::text is null or channel = $3)
      order by position ${backwards ? "" : "desc"} limit $4`,
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
