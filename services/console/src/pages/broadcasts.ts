import { hasScope } from "@heliograph/api";
import { html, type Form, type Html } from "@heliograph/html";
import { allOf } from "../all-of.ts";
import type { Answers } from "../answers.ts";
import { Refused, type Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import type { List, TemplateSummary } from "../shapes.ts";
import { acted, asked, button, once } from "../view/forms.ts";
import {
  bdi,
  curl,
  curls,
  facts,
  field,
  money,
  pages,
  pill,
  refusal,
  table,
  time,
} from "../view/parts.ts";
import type { Call } from "../view/parts.ts";
import { progress } from "../view/progress.ts";
import { listPage } from "./lists.ts";
import { personChannels } from "./messages.ts";
import { chosenTemplate, templateField } from "./send.ts";

type Broadcast = Answers["Broadcast"];
type Template = Answers["Template"];
type Previewed = Answers["BroadcastPreview"];
type Recipient = Answers["BroadcastRecipient"];

const section = "/broadcasts";
const home = `${base}${section}`;
const skippedSize = 25;
const mayWrite = ({ who }: Visit): boolean => hasScope(who.scopes, "broadcasts:write");
const apiPath = ({ params }: Visit): string => `/broadcasts/${encodeURIComponent(params["id"]!)}`;
const pageOf = ({ params }: Visit): string => `${home}/${encodeURIComponent(params["id"]!)}`;

const list = listPage<Broadcast>({
  path: section,
  title: "Broadcasts",
  from: "/broadcasts",
  lead: "One message to many contacts, each as a message of its own.",
  tools: (visit) =>
    mayWrite(visit) && html`<p class="bar"><a class="go" href="${home}/new">New broadcast</a></p>`,
  columns: () => [
    {
      label: "Name",
      cell: ({ id, name }) =>
        html`<a href="${home}/${id}">${name === null ? html`<code>${id}</code>` : bdi(name)}</a>`,
    },
    { label: "Status", cell: ({ status }) => pill(status) },
    { label: "Channel", cell: ({ channel }) => channel },
    { label: "Audience", figures: true, cell: ({ counts }) => counts.audience },
    { label: "Sent", figures: true, cell: ({ counts }) => counts.sent },
    { label: "Failed", figures: true, cell: ({ counts }) => counts.failed },
    { label: "Skipped", figures: true, cell: ({ counts }) => counts.skipped },
    { label: "Made", cell: ({ created_at }) => time(created_at) },
  ],
  none: [
    "No broadcast yet",
    html`A broadcast sends one message to every contact with a tag or an attribute. Draft one above, or with <code>POST /broadcasts</code>: nothing is sent before it is started.`,
  ],
});

const said = ["name", "channel", "template", "subject", "text", "from", "category"];

/** A value that belongs to nothing would be no condition, and the audience everybody. */
const valueOfNothing: Problem = {
  status: 422,
  code: "invalid_request",
  title: "The request is not valid",
  detail: "There is a value and no attribute that has it.",
  errors: [{ path: "attribute", message: "is required with a value" }],
};

/** The call that the form stands for. Throws Refused. */
function bodyOf(form: Form): Record<string, unknown> {
  const given = said.flatMap((name) => {
    const value = name === "text" ? form.exact(name) : form.text(name);
    return value.trim() === "" ? [] : [[name, value]];
  });
  const tag = form.text("tag");
  const attribute = form.text("attribute");
  const value = form.text("value");
  if (attribute === "" && value !== "") throw new Refused(valueOfNothing);
  const perSecond = form.text("per_second");
  const variables = valuesOf(form);
  const language = languageOf(form);
  return {
    audience: {
      ...(tag !== "" && { tag }),
      ...(attribute !== "" && { attribute: { [attribute]: value } }),
    },
    ...Object.fromEntries(given),
    ...(language !== undefined && { language }),
    ...(Object.keys(variables).length > 0 && { variables }),
    ...(perSecond !== "" && { per_second: Number(perSecond) }),
  };
}

/** Of each variable the value for everybody, or what of a contact it is, with that value for those who have none. */
function valuesOf(form: Form): Readonly<Record<string, unknown>> {
  const values = form.map("variables");
  const own = Object.entries(form.map("own")).filter(([, contact]) => contact.trim() !== "");
  return {
    ...values,
    ...Object.fromEntries(
      own.map(([name, contact]) => [
        name,
        { contact: contact.trim(), ...(name in values && { default: values[name] }) },
      ]),
    ),
  };
}

function languageOf(form: Form): string | object | undefined {
  const language = form.text("language") || undefined;
  if (form.text("whose_language") !== eachOwn) return language;
  return { contact: "language", ...(language !== undefined && { default: language }) };
}
const eachOwn = "each contact's own";
const forAll = "this one for everybody";

const variableFields = ({ slug, variables }: Template, form: Form): Html =>
  html`<fieldset><legend>Variables of ${slug}</legend>${Object.entries(variables).map(
    ([name, { type }]) => html`<div class="row">
${field({ name: `own[${name}]`, label: `${name}: what of the contact`, value: form.text(`own[${name}]`), placeholder: "attributes.plan", hint: "name, language, client_ref or attributes.…; left empty, the same for everybody." })}
${field({ name: `variables[${name}]`, label: `${name}: for everybody, or who has none`, value: form.exact(`variables[${name}]`), hint: `${type}; left empty, whoever has none is skipped.` })}
</div>`,
  )}</fieldset>`;

async function blank(visit: Visit, form: Form, problem?: Problem): Promise<Shown> {
  const [{ data, more }, template] = await Promise.all([
    allOf<TemplateSummary>(visit.api, "/templates"),
    chosenTemplate(visit, form),
  ]);
  const slugs = [...new Set(data.map(({ slug }) => slug))];
  return shown(
    "New broadcast",
    html`${problem !== undefined && refusal(problem)}
<form class="sheet" method="post" action="${home}/new">${once(visit)}
${field({ name: "name", label: "Name", value: form.text("name"), hint: "For people." })}
<div class="row">
${field({ name: "tag", label: "Contacts with the tag", value: form.text("tag"), hint: "Left empty with the attribute: everybody." })}
${field({ name: "attribute", label: "And the attribute", value: form.text("attribute"), placeholder: "plan" })}
${field({ name: "value", label: "Of the value", value: form.text("value"), placeholder: "gold" })}
</div>
<div class="row">
${field({ name: "channel", label: "Channel", value: form.text("channel") || "sms", options: personChannels })}
${field({ name: "category", label: "Category", value: form.text("category") || "marketing", options: ["marketing", "transactional"] })}
${field({ name: "per_second", label: "Messages a second", value: form.text("per_second"), type: "number", hint: "At most; left empty, as fast as it goes." })}
</div>
<div class="row">
${templateField(form.text("template"), { slugs, more, none: "none: write the text" })}
${field({ name: "language", label: "Language", value: form.text("language"), hint: "Of the template; left empty, its own." })}
${field({ name: "whose_language", label: "Whose language", value: form.text("whose_language") || forAll, options: [forAll, eachOwn] })}
</div>
<p class="actions start"><button type="submit" formmethod="get" formaction="${home}/new" formnovalidate>Show its variables</button></p>
${template !== undefined && variableFields(template, form)}
${field({ name: "subject", label: "Subject", value: form.text("subject"), hint: "E-mail only." })}
${field({ name: "text", label: "Text", value: form.exact("text"), rows: 5, hint: "Left empty with a template." })}
${field({ name: "from", label: "From", value: form.text("from"), hint: "Left empty, the gateway's own." })}
<div class="actions"><button class="main" type="submit">Draft it</button><a href="${home}">Back to the broadcasts</a></div>
</form>
${curl(visit, "POST", "/broadcasts", { audience: { tag: "customer" }, channel: "sms", text: "Hello" })}`,
    problem?.status,
  );
}

const create = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      const body = bodyOf(visit.form);
      const { id } = await visit.api.send<Broadcast>("POST", "/broadcasts", { body, key });
      return { to: `${home}/${id}`, told: "The broadcast is drafted. Nothing is sent yet." };
    },
    (problem) => blank(visit, visit.form, problem),
  );

const labels = { start: "Start", pause: "Pause", resume: "Resume" } as const;
type Command = keyof typeof labels;
/** What may be done in each state. */
const commands: Readonly<Record<string, readonly Command[]>> = {
  draft: ["start"],
  running: ["pause"],
  paused: ["resume"],
};

const isEverybody = ({ audience: { tag, attribute = {}, contact_ids: ids } }: Broadcast): boolean =>
  tag === undefined && ids === undefined && Object.keys(attribute).length === 0;

const mayCancel = ({ status }: Broadcast): boolean => status !== "done" && status !== "canceled";

function actions(visit: Visit, found: Broadcast): Html | false {
  const at = pageOf(visit);
  const open = commands[found.status] ?? [];
  if (!mayWrite(visit) || !mayCancel(found)) return false;
  const act = (name: Command): Html =>
    name === "start" && isEverybody(found)
      ? html`<a href="${at}/start">${labels[name]}</a>`
      : button(visit, `${at}/${name}`, labels[name]);
  return html`<div class="bar">${open.map(act)}${found.status === "draft" && html`<a href="${at}/preview">Preview and cost</a>`}<a class="grave" href="${at}/cancel">Cancel</a></div>`;
}

function state(visit: Visit, found: Broadcast): Html {
  const { status, counts, paused_for: why } = found;
  const { audience, accepted, sent, failed, skipped } = counts;
  return progress({
    going: status === "running",
    here: pageOf(visit),
    body: html`<p class="lead">${pill(status)} ${accepted + skipped} of ${audience} ${audience === 1 ? "contact" : "contacts"}</p>
${why !== null && html`<div class="notice"><p>Paused: ${bdi(why.reason)} <code>${why.code}</code></p></div>`}
${actions(visit, found)}
${facts([
  ["Accepted", accepted],
  ["Sent", sent],
  ["Failed", failed],
  ["Skipped", skipped],
  ["Starts by itself", time(found.send_at)],
  ["Started", time(found.started_at)],
  ["Ended", time(found.ended_at)],
])}`,
  });
}

const whom = ({ tag, attribute = {}, contact_ids: ids }: Broadcast["audience"]): Html => {
  const parts = [
    ...(tag === undefined ? [] : [html`with the tag ${bdi(tag)}`]),
    ...Object.entries(attribute).map(
      ([key, value]) => html`whose ${bdi(key)} is ${bdi(String(value))}`,
    ),
    ...(ids === undefined ? [] : [html`of ${ids.length} that are named`]),
  ];
  return parts.length === 0
    ? html`Every contact`
    : html`Contacts ${parts.map((part, at) => html`${at > 0 && ", "}${part}`)}`;
};

type Value = string | number | boolean;
/** What of a contact a value is, where it is not the same for everybody. */
const valueOf = (value: Value | { readonly contact: string; readonly default?: Value }): Html => {
  if (typeof value !== "object") return bdi(String(value));
  const { contact, default: other } = value;
  return html`each contact's ${bdi(contact)}${other !== undefined && html`, or ${bdi(String(other))}`}`;
};

const what = ({ template, language, variables = {}, subject, text, html: page }: Broadcast): Html =>
  template !== undefined
    ? html`<p>The template <code>${typeof template === "string" ? template : template.slug}</code></p>
${facts([
  ...(language === undefined ? [] : [["Language", valueOf(language)] as const]),
  ...Object.entries(variables).map(([name, value]) => [name, valueOf(value)] as const),
])}`
    : html`${subject !== undefined && html`<p class="subject">${bdi(subject)}</p>`}<blockquote class="text" dir="auto">${text ?? page ?? ""}</blockquote>`;

const skippedOf = (visit: Visit, { data, ...list }: List<Recipient>): Html =>
  html`<section aria-labelledby="skipped"><h2 id="skipped">Skipped</h2>
${
  data.length === 0
    ? html`<p>Nobody so far.</p>`
    : table(
        "Who was skipped, and why",
        [
          {
            label: "Contact",
            cell: ({ contact_id: id }: Recipient) =>
              html`<a href="${base}/contacts/${id}"><code>${id}</code></a>`,
          },
          { label: "Why", cell: ({ reason }) => (reason ?? "").replaceAll("_", " ") },
        ],
        data,
      )
}
${pages(pageOf(visit), {}, list)}</section>`;

async function one(visit: Visit, problem?: Problem): Promise<Shown> {
  const { api, query } = visit;
  const path = apiPath(visit);
  const [found, skipped] = await Promise.all([
    api.get<Broadcast>(path),
    api.get<List<Recipient>>(`${path}/recipients`, {
      status: "skipped",
      limit: skippedSize,
      after: query.text("after"),
      before: query.text("before"),
    }),
  ]);
  const calls: readonly Call[] = [
    ["This page", "GET", path],
    ...(mayWrite(visit) ? (Object.keys(labels) as Command[]) : []).map((name): Call => [
      labels[name],
      "POST",
      `${path}/${name}`,
    ]),
  ];
  return {
    title: "Broadcast",
    ...(found.name !== null && { heading: bdi(found.name) }),
    ...(problem !== undefined && { status: problem.status }),
    body: html`${problem !== undefined && refusal(problem)}${state(visit, found)}
<section aria-labelledby="said"><h2 id="said">What everybody is sent</h2>
<p>${whom(found.audience)}, by ${found.channel}${found.per_second !== null && `, at most ${found.per_second} a second`}.</p>
${what(found)}</section>
${skippedOf(visit, skipped)}
<p><a href="${home}">Back to the broadcasts</a></p>
${curls(visit, calls)}`,
  };
}

const tally = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name.replaceAll("_", " ")}: ${count}`)
    .join(", ") || "none";

async function previewed(visit: Visit): Promise<Shown> {
  const path = `${apiPath(visit)}/preview`;
  const found = await visit.api.send<Previewed>("POST", path);
  const { audience, looked_at, to_send, segments, currency, estimated_cost: cost } = found;
  return shown(
    "What the broadcast would come to",
    html`<p class="lead">${looked_at} of ${audience} ${audience === 1 ? "contact" : "contacts"} looked at. Nothing was sent.</p>
${facts([
  ["Would be sent to", to_send],
  ["Would be skipped", tally(found.skipped)],
  ["Lack a value for", tally(found.lacking)],
  ["Languages", tally(found.languages)],
  ["Segments", segments],
  ["Cost, estimated for all", cost === null ? "none" : money(cost, currency ?? "")],
])}
<p><a href="${pageOf(visit)}">Back to the broadcast</a></p>
${curl(visit, "POST", path)}`,
  );
}

const told = {
  start: "Started. You may leave this page: it goes on.",
  pause: "Paused.",
  resume: "It goes on.",
} as const;

const act = (name: Command): Page => ({
  method: "POST",
  path: `${section}/:id/${name}`,
  section,
  answer: (visit) =>
    acted(
      visit,
      async ({ key }) => {
        await visit.api.send("POST", `${apiPath(visit)}/${name}`, { key });
        return { to: pageOf(visit), told: told[name] };
      },
      (problem) => one(visit, problem),
    ),
});

async function starting(visit: Visit): Promise<Shown> {
  await visit.api.get<Broadcast>(apiPath(visit));
  return asked(visit, {
    title: "Start the broadcast to everybody",
    what: "It names no tag and no attribute: every contact that there is now is sent a message, each at its price.",
    action: `${pageOf(visit)}/start`,
    label: "Send it to every contact",
    back: pageOf(visit),
    call: ["POST", `${apiPath(visit)}/start`],
  });
}

async function ending(visit: Visit, problem?: Problem): Promise<Shown> {
  await visit.api.get<Broadcast>(apiPath(visit));
  return asked(visit, {
    title: "Cancel the broadcast",
    what: "Whoever was not sent anything by now never is. Messages that were accepted go on.",
    action: `${pageOf(visit)}/cancel`,
    label: "Cancel the broadcast",
    back: pageOf(visit),
    problem,
    call: ["POST", `${apiPath(visit)}/cancel`],
  });
}

const cancel = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      await visit.api.send("POST", `${apiPath(visit)}/cancel`, { key });
      return { to: pageOf(visit), told: "Canceled." };
    },
    (problem) => ending(visit, problem),
  );

export const broadcastPages: readonly Page[] = [
  list,
  { method: "GET", path: `${section}/new`, section, answer: (visit) => blank(visit, visit.query) },
  { method: "POST", path: `${section}/new`, section, answer: create },
  { method: "GET", path: `${section}/:id`, section, live: true, answer: (visit) => one(visit) },
  {
    method: "GET",
    path: `${section}/:id/start`,
    section,
    answer: starting,
  },
  { method: "GET", path: `${section}/:id/preview`, section, answer: previewed },
  act("start"),
  act("pause"),
  act("resume"),
  { method: "GET", path: `${section}/:id/cancel`, section, answer: (visit) => ending(visit) },
  { method: "POST", path: `${section}/:id/cancel`, section, answer: cancel },
];
