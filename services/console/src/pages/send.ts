import { randomUUID } from "node:crypto";
import { type Form, html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { allOf } from "../all-of.ts";
import { Refused, type Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import type { Accepted, Template, TemplateSummary } from "../shapes.ts";
import { keyed, keyOf, keyOfWords, once } from "../view/forms.ts";
import { bdi, curl, errorAt, field, money, refusal } from "../view/parts.ts";
import { channels } from "./messages.ts";
import { findTemplate, typedVariables } from "../variables.ts";
import { furtherOf, quietFields, stepFields } from "./send-more.ts";

/** Long enough for a provider, short enough for a person. */
export const waitSeconds = 15;
const fields = ["from", "sender_pool", "text", "subject", "template", "language"];

type State = {
  readonly problem?: Problem;
  readonly priced?: Accepted;
  readonly preview?: Html;
  /** Of this entry of the browser's history; a form that was refused gets another one, since it will say something else. */
  readonly key: string;
};

/** The call that a form stands for. */
function bodyOf(form: Form, template: Template | undefined): Record<string, unknown> {
  const given = fields.flatMap((name) => {
    const value = name === "text" ? form.exact(name) : form.text(name);
    return value.trim() === "" ? [] : [[name, value]];
  });
  const variables = typedVariables(form.map("variables"), template?.variables);
  return {
    channel: form.text("channel"),
    to: form.text("to"),
    ...Object.fromEntries(given),
    ...(Object.keys(variables).length > 0 && { variables }),
    ...furtherOf(form),
  };
}

/** The template that a form names, where there is such a one. */
export const chosenTemplate = ({ api }: Visit, form: Form): Promise<Template | undefined> =>
  findTemplate(api, form.text("template"), form.text("channel"));

const variableFields = (template: Template, form: Form, problem: Problem | undefined): Html =>
  html`<fieldset><legend>Variables of ${template.slug}</legend>${Object.entries(
    template.variables,
  ).map(([name, { type, required = false, max_length }]) =>
    field({
      name: `variables[${name}]`,
      label: name,
      value: form.exact(`variables[${name}]`),
      error: errorAt(problem, `variables.${name}`),
      required,
      hint: `${type}${max_length === undefined ? "" : `, at most ${max_length} characters`}`,
    }),
  )}</fieldset>`;

type Rendered = Answers["RenderedTemplate"];

/** What the recipient would read; of a template, with its gaps filled in. */
async function rendered({ api }: Visit, form: Form, template: Template | undefined): Promise<Html> {
  const slug = form.text("template");
  if (slug === "") return reads(form.text("subject"), form.exact("text"));
  const path = `/templates/${encodeURIComponent(slug)}/preview?channel=${encodeURIComponent(form.text("channel"))}`;
  const language = form.text("language");
  const variables = typedVariables(form.map("variables"), template?.variables);
  const body = { ...(language !== "" && { language }), variables };
  const { subject = "", text = "" } = await api.send<Rendered>("POST", path, { body });
  return reads(subject, text);
}

const reads = (subject: string, text: string): Html =>
  html`${subject !== "" && html`<p class="subject">${bdi(subject)}</p>`}<blockquote class="text" dir="auto">${text}</blockquote>`;

const priceOf = ({ segments, cost_estimate, currency }: Accepted): Html =>
  html`<div class="notice" role="status"><p><strong>${money(cost_estimate, currency)}</strong> for ${segments.count} ${segments.count === 1 ? "segment" : "segments"}: ${segments.characters} characters in ${segments.encoding}. Nothing was sent yet.</p></div>`;

async function show(visit: Visit, form: Form, state: State): Promise<Shown> {
  const [{ data, more }, template] = await Promise.all([
    allOf<TemplateSummary>(visit.api, "/templates"),
    chosenTemplate(visit, form),
  ]);
  const { problem, priced, preview, key } = state;
  const slugs = [...new Set(data.map(({ slug }) => slug))];
  const languages = template === undefined ? [] : Object.keys(template.languages);
  const body = bodyOf(form, template);
  const error = (path: string): string | undefined => errorAt(problem, path);
  const example =
    form.text("to") === "" ? { channel: "sms", to: "+15551230001", text: "Hello" } : body;
  return shown(
    "Send a message",
    html`${problem !== undefined && refusal(problem)}${priced !== undefined && priceOf(priced)}${preview}
<form class="sheet" method="post" action="${base}/send">
${once(visit, undefined, key)}
<div class="row">
${field({ name: "channel", label: "Channel", value: form.text("channel") || "sms", options: channels, error: error("channel") })}
${field({ name: "to", label: "To", value: form.text("to"), required: true, error: error("to"), placeholder: visit.environment === "sandbox" ? "+15551230001" : "", hint: visit.environment === "sandbox" ? html`<code>…0001</code> is delivered, <code>…0003</code> fails, <code>…0014</code> is read.` : "A number with its country, an address, or what the channel has." })}
</div>
<div class="row">
${templateField(form.text("template"), { slugs, more, none: "none: write the text", error: error("template") })}
${field({ name: "language", label: "Language", value: form.text("language"), error: error("language"), hint: languages.length > 0 ? `There is ${languages.join(", ")}.` : "Of the template." })}
</div>
<p class="actions start"><button type="submit" formmethod="get" formaction="${base}/send" formnovalidate>Show its variables</button></p>
${template !== undefined && variableFields(template, form, problem)}
${field({ name: "subject", label: "Subject", value: form.text("subject"), error: error("subject"), hint: "E-mail only." })}
${field({ name: "text", label: "Text", value: form.exact("text"), rows: 5, error: error("text"), hint: "Left empty with a template." })}
<div class="row">${field({ name: "from", label: "From", value: form.text("from"), error: error("from"), hint: "Left empty, the gateway's own." })}
${field({ name: "sender_pool", label: "Pool of senders", value: form.text("sender_pool"), error: error("sender_pool"), hint: html`By its name, in place of a sender. <a href="${base}/routing/pools">Pools</a>` })}</div>
${stepFields(form, problem)}
${quietFields(form, problem)}
<div class="actions"><button class="main" type="submit">${visit.environment === "live" ? "Send for real" : "Send in the sandbox"}</button><button type="submit" name="price" value="1">Preview and cost</button></div>
</form>
${curl(visit, "POST", "/messages", example)}`,
    problem?.status,
  );
}

/** Where there are more than can be listed, one is named instead of picked. */
export const templateField = (
  value: string,
  {
    slugs,
    more,
    none,
    error,
  }: {
    readonly slugs: readonly string[];
    readonly more: boolean;
    readonly none: string;
    readonly error?: string | undefined;
  },
): Html =>
  field({
    name: "template",
    label: "Template",
    value,
    error,
    ...(more
      ? {
          hint: html`Its name: they are too many to list. <a href="${base}/templates">Look it up</a>`,
        }
      : { options: [["", none] as const, ...slugs.map((slug) => [slug, slug] as const)] }),
  });

const blank = (visit: Visit): Promise<Shown> | Shown | Led =>
  keyed(visit, "/send", () => show(visit, visit.query, { key: keyOf(visit.query) }));

/** Waits until it is sent or failed. The key makes one message of what is posted twice, also by who went back to it. */
async function send(visit: Visit): Promise<Shown | Led> {
  const { api, form } = visit;
  const template = await chosenTemplate(visit, form);
  const body = bodyOf(form, template);
  const key = keyOf(form);
  try {
    if (form.has("price")) {
      const priced = await api.send<Accepted>("POST", "/messages?dry_run=true", { body });
      return await show(visit, form, {
        priced,
        preview: await rendered(visit, form, template),
        key,
      });
    }
    const sent = { body, key: keyOfWords(form, body), waitSeconds };
    const { id } = await api.send<Accepted>("POST", "/messages", sent);
    return { to: `${base}/messages/${id}` };
  } catch (error) {
    if (!(error instanceof Refused) || error.problem.status === 403) throw error;
    return show(visit, form, { problem: error.problem, key: randomUUID() });
  }
}

export const sendPages: readonly Page[] = [
  { method: "GET", path: "/send", section: "/send", answer: async (visit) => blank(visit) },
  { method: "POST", path: "/send", section: "/send", answer: send },
];
