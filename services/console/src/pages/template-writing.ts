import { html, type Form, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import type { Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import type { Template, Variables } from "../shapes.ts";
import { acted, once } from "../view/forms.ts";
import { curl, field, refusal } from "../view/parts.ts";
import { diffWords } from "../words-diff.ts";
import { channels } from "./messages.ts";

type Version = Answers["TemplateVersion"];
type Texts = Template["languages"];

const placeOf = (slug: string, channel: string): string =>
  `${base}/templates/${encodeURIComponent(slug)}?channel=${encodeURIComponent(channel)}`;

/** The gaps of the texts; what was said of them before is kept, and the others are texts that have to be given. */
function variablesIn(languages: Texts, known: Variables = {}): Variables {
  const text = JSON.stringify(languages);
  const names = [...text.matchAll(/\{\{\s*([A-Za-z_]\w{0,63})\s*\}\}/g)].map(([, name]) => name!);
  return Object.fromEntries(
    names.map((name) => [name, known[name] ?? { type: "string", required: true }]),
  );
}

/** `text[en]`, `subject[en]`; the one that is added has its language in a field of its own. */
function languagesOf(form: Form, before: Texts = {}): Texts {
  const subjects = form.map("subject");
  const added = form.text("language");
  const texts = { ...form.map("text"), ...(added !== "" && { [added]: form.exact("new_text") }) };
  return Object.fromEntries(
    Object.entries(texts).map(([code, text]) => {
      const subject = code === added ? form.text("new_subject") : (subjects[code] ?? "");
      return [code, { ...before[code], text, ...(subject !== "" && { subject }) }];
    }),
  );
}

const writing = (languages: Texts): Html =>
  html`${Object.entries(languages).map(
    ([code, { text = "", subject = "" }]) =>
      html`<fieldset><legend>${code}</legend>${field({ name: `subject[${code}]`, label: `Subject in ${code}`, value: subject, hint: "E-mail only." })}${field({ name: `text[${code}]`, label: `Text in ${code}`, value: text, rows: 4, hint: "Empty: the new version has no such language." })}</fieldset>`,
  )}`;

const adding = (form: Form, label: string, required: boolean): Html =>
  html`<fieldset><legend>${label}</legend>${field({ name: "language", label: "Language", value: form.text("language"), required, hint: "Such as en or pt-BR." })}${field({ name: "new_subject", label: "Subject", value: form.text("new_subject"), hint: "E-mail only." })}${field({ name: "new_text", label: "Text", value: form.exact("new_text"), rows: 4, required, hint: html`<code>{{name}}</code> is a gap that each message fills.` })}</fieldset>`;

function making(visit: Visit, problem?: Problem): Shown {
  const { form } = visit;
  return shown(
    "New template",
    html`${problem !== undefined && refusal(problem)}
<form class="sheet" method="post" action="${base}/template-new">${once(visit)}
<div class="row">${field({ name: "slug", label: "Name", value: form.text("slug"), required: true, hint: "Lower-case letters, digits, - and _: programs call it by this." })}${field({ name: "channel", label: "Channel", value: form.text("channel") || "sms", options: channels })}</div>
${field({ name: "description", label: "What it is for", value: form.text("description") })}
${adding(form, "Its first language", true)}
<div class="actions"><button class="main" type="submit">Create</button><a href="${base}/templates">Leave it</a></div></form>
${curl(visit, "POST", "/templates", { slug: "hello", channel: "sms", default_language: "en", languages: { en: { text: "Hello {{name}}" } }, variables: { name: { type: "string", required: true } } })}`,
    problem?.status,
  );
}

const make = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      const { api, form } = visit;
      const languages = languagesOf(form);
      const [slug, channel, description] = ["slug", "channel", "description"].map((name) =>
        form.text(name),
      );
      const body = {
        slug,
        channel,
        default_language: form.text("language"),
        ...(description !== "" && { description }),
        languages,
        variables: variablesIn(languages),
      };
      await api.send("POST", "/templates", { body, key });
      return { to: placeOf(slug!, channel!), told: "The template is there." };
    },
    (problem) => making(visit, problem),
  );

const pathOf = ({ params, query }: Visit, rest = ""): string =>
  `/templates/${encodeURIComponent(params["slug"]!)}${rest}?channel=${encodeURIComponent(query.text("channel"))}`;

async function versioning(visit: Visit, problem?: Problem): Promise<Shown> {
  const template = await visit.api.get<Template>(pathOf(visit));
  const typed = visit.form.has("key")
    ? languagesOf(visit.form, template.languages)
    : template.languages;
  const place = `${base}/templates/${template.slug}/version?channel=${template.channel}`;
  return shown(
    `New version of ${template.slug}`,
    html`${problem !== undefined && refusal(problem)}<p>Version ${template.version} stays as it is: what was sent with it can be read again. From the new one on, sends take the new one.</p>
<form class="sheet" method="post" action="${place}">${once(visit)}${writing(typed)}${adding(visit.form, "One more language", false)}
<div class="actions"><button class="main" type="submit">Add version ${template.version + 1}</button><a href="${placeOf(template.slug, template.channel)}">Leave it</a></div></form>
${curl(visit, "POST", `/templates/${template.slug}/versions?channel=${template.channel}`, { languages: template.languages, variables: template.variables })}`,
    problem?.status,
  );
}

const addVersion = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      const { api, form } = visit;
      const {
        slug,
        channel,
        languages: before,
        variables,
      } = await api.get<Template>(pathOf(visit));
      const languages = languagesOf(form, before);
      const body = { languages, variables: variablesIn(languages, variables) };
      const { version } = await api.send<Version>("POST", pathOf(visit, "/versions"), {
        body,
        key,
      });
      return { to: `${placeOf(slug, channel)}`, told: `Version ${version} is there.` };
    },
    (problem) => versioning(visit, problem),
  );

const compared = (from: string, to: string): Html =>
  html`<blockquote class="text" dir="auto">${diffWords(from, to).map(({ kind, text }) =>
    kind === "same" ? text : kind === "gone" ? html`<del>${text}</del>` : html`<ins>${text}</ins>`,
  )}</blockquote>`;

async function compare(visit: Visit): Promise<Shown> {
  const { api, query } = visit;
  const template = await api.get<Template>(pathOf(visit));
  const { slug, channel, version } = template;
  const number = (name: string, otherwise: number): number => Number(query.text(name)) || otherwise;
  const [to, from] = [number("to", version), number("from", Math.max(1, version - 1))];
  const [old, made] = await Promise.all(
    [from, to].map((wanted) => api.get<Version>(pathOf(visit, `/versions/${wanted}`))),
  );
  const codes = [...new Set([old!, made!].flatMap(({ languages }) => Object.keys(languages)))];
  const options = Array.from({ length: version }, (_, at) => String(version - at));
  return shown(
    `Versions of ${slug}`,
    html`<form class="filters" method="get" action="${base}/templates/${slug}/compare"><input type="hidden" name="channel" value="${channel}">${field({ name: "from", label: "From version", value: String(from), options })}${field({ name: "to", label: "To version", value: String(to), options })}<div class="actions"><button type="submit">Compare</button><a href="${placeOf(slug, channel)}">Back to it</a></div></form>
<p class="small"><del>Struck out</del> is in version ${from} alone, <ins>underlined</ins> in version ${to} alone.</p>
${codes.map((code) => {
  const [one = {}, other = {}] = [old!.languages[code], made!.languages[code]];
  return html`<section aria-labelledby="in-${code}"><h2 id="in-${code}">${code}</h2>${(one.subject ?? other.subject) !== undefined && compared(one.subject ?? "", other.subject ?? "")}${compared(one.text ?? "", other.text ?? "")}</section>`;
})}
${curl(visit, "GET", `/templates/${slug}/versions/${from}?channel=${channel}`)}`,
  );
}

export const templateWritingPages: readonly Page[] = [
  {
    method: "GET",
    path: "/template-new",
    section: "/templates",
    answer: async (visit) => making(visit),
  },
  { method: "POST", path: "/template-new", section: "/templates", answer: make },
  {
    method: "GET",
    path: "/templates/:slug/version",
    section: "/templates",
    answer: (visit) => versioning(visit),
  },
  { method: "POST", path: "/templates/:slug/version", section: "/templates", answer: addVersion },
  { method: "GET", path: "/templates/:slug/compare", section: "/templates", answer: compare },
];
