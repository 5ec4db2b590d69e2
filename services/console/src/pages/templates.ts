import { hasScope } from "@heliograph/api";
import { html, type Html } from "@heliograph/html";
import { Refused, type Problem } from "../client.ts";
import { base, shown, type Page, type Shown, type Visit } from "../page.ts";
import type { List, Template, TemplateSummary } from "../shapes.ts";
import { typedVariables } from "../variables.ts";
import {
  bdi,
  curl,
  empty,
  facts,
  field,
  hidden,
  pages,
  refusal,
  table,
  time,
} from "../view/parts.ts";

type Rendered = { readonly language: string; readonly text?: string; readonly subject?: string };

const pathOf = ({ slug, channel }: Pick<Template, "slug" | "channel">): string =>
  `${base}/templates/${slug}?channel=${channel}`;

async function list(visit: Visit): Promise<Shown> {
  const { api, query } = visit;
  const found = await api.get<List<TemplateSummary>>("/templates", {
    after: query.text("after"),
    before: query.text("before"),
    limit: 50,
  });
  const example = {
    slug: "hello",
    channel: "sms",
    default_language: "en",
    languages: { en: { text: "Hello {{name}}" } },
    variables: { name: { type: "string", required: true } },
  };
  return shown(
    "Templates",
    html`${hasScope(visit.who.scopes, "templates:write") && html`<p class="bar"><a class="go" href="${base}/template-new">New template</a></p>`}${
      found.data.length === 0
        ? empty(
            "No template yet",
            "A template is a text in several languages with gaps for names and numbers. It has versions, so that what was sent can always be read again. The call below makes one.",
          )
        : table(
            "Templates",
            [
              { label: "Name", cell: (row) => html`<a href="${pathOf(row)}">${row.slug}</a>` },
              { label: "Channel", cell: ({ channel }) => channel },
              { label: "Languages", cell: ({ language_codes }) => language_codes.join(", ") },
              { label: "Version", figures: true, cell: ({ version }) => version },
              { label: "Changed", cell: ({ updated_at }) => time(updated_at) },
            ],
            found.data,
          )
    }${pages(`${base}/templates`, {}, found)}${curl(visit, "POST", "/templates", example)}`,
  );
}

async function show(
  visit: Visit,
  template: Template,
  preview: { readonly made?: Rendered; readonly problem?: Problem } = {},
): Promise<Shown> {
  const { form } = visit;
  const { made, problem } = preview;
  const language = form.text("language") || template.default_language;
  return shown(
    template.slug,
    html`<p class="lead">${template.channel}, version ${template.version}, changed ${time(template.updated_at)}</p>
${template.description !== null && html`<p>${bdi(template.description)}</p>`}
<p class="bar">${hasScope(visit.who.scopes, "templates:write") && html`<a class="go" href="${base}/templates/${template.slug}/version?channel=${template.channel}">New version</a>`}${template.version > 1 && html`<a href="${base}/templates/${template.slug}/compare?channel=${template.channel}">Compare versions</a>`}</p>
<div class="two">
<section aria-labelledby="texts"><h2 id="texts">Texts</h2>${Object.entries(template.languages).map(
      ([code, { text, subject }]) =>
        html`<h3>${code}${code === template.default_language && html` <span class="small">(when no other fits)</span>`}</h3>${subject !== undefined && html`<p class="subject">${bdi(subject)}</p>`}<blockquote class="text" dir="auto">${text ?? ""}</blockquote>`,
    )}</section>
<section aria-labelledby="preview"><h2 id="preview">Preview</h2>
${problem !== undefined && refusal(problem)}${made !== undefined && result(made)}
<form class="sheet" method="post" action="${pathOf(template)}">
${hidden(visit)}
${field({ name: "language", label: "Language", value: language, options: Object.keys(template.languages) })}
${Object.entries(template.variables).map(([name, { type, required }]) =>
  field({
    name: `variables[${name}]`,
    label: name,
    value: form.exact(`variables[${name}]`),
    hint: `${type}${required === true ? "" : ", may be left out"}`,
  }),
)}
<div class="actions"><button class="main" type="submit">Preview</button><a href="${base}/send?channel=${template.channel}&amp;template=${template.slug}&amp;language=${language}">Send it</a></div>
</form>${facts([["Id", html`<code>${template.id}</code>`]])}</section></div>
${curl(visit, "POST", `/templates/${template.slug}/preview?channel=${template.channel}`, { language, variables: typedVariables(form.map("variables"), template.variables) })}`,
    problem?.status,
  );
}

const result = ({ language, text, subject }: Rendered): Html =>
  html`<div class="notice" role="status"><p class="small">As it is sent, in ${language}</p>${subject !== undefined && html`<p class="subject">${bdi(subject)}</p>`}<blockquote class="text" dir="auto">${text ?? ""}</blockquote></div>`;

const find = ({ api, params, query }: Visit): Promise<Template> =>
  api.get<Template>(`/templates/${encodeURIComponent(params["slug"]!)}`, {
    channel: query.text("channel"),
  });

const one = async (visit: Visit): Promise<Shown> => show(visit, await find(visit));

async function preview(visit: Visit): Promise<Shown> {
  const { api, form } = visit;
  const template = await find(visit);
  const path = `/templates/${template.slug}/preview?channel=${template.channel}`;
  const variables = typedVariables(form.map("variables"), template.variables);
  const body = { language: form.text("language"), variables };
  try {
    return await show(visit, template, { made: await api.send<Rendered>("POST", path, { body }) });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return show(visit, template, { problem: error.problem });
  }
}

export const templatePages: readonly Page[] = [
  { method: "GET", path: "/templates", section: "/templates", answer: list },
  { method: "GET", path: "/templates/:slug", section: "/templates", answer: one },
  { method: "POST", path: "/templates/:slug", section: "/templates", answer: preview },
];
