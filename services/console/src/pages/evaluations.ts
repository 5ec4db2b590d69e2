import { inWords } from "@heliograph/contracts";
import { html, link, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import type { Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import { act, tried, typed } from "../view/acts.ts";
import { asked } from "../view/forms.ts";
import {
  bdi,
  curl,
  curls,
  empty,
  facts,
  field,
  pill,
  refusal,
  table,
  time,
  type Call,
} from "../view/parts.ts";
import { listPage } from "./lists.ts";

type Evaluation = Answers["Evaluation"];
type Full = Answers["EvaluationWithNotes"];
type Report = Answers["EvaluationReport"];
type Rota = Answers["EvaluationRota"];
type Contact = Answers["EvaluationContact"];

const section = "/evaluations";
const statuses = ["requested", "provisioned", "contacted", "converted", "closed"];

const contactOf = (contact: Contact | null): Html =>
  contact === null
    ? html`<span class="none">nobody yet</span>`
    : html`${bdi(contact.name || contact.email)}`;

const list = listPage<Evaluation>({
  path: section,
  title: "Evaluations",
  from: "/admin/evaluations",
  lead: html`Who asks to try the platform. A person answers within one business day: <a href="${base}${section}/report">how often that was kept</a>, and <a href="${base}${section}/rota">whose turn is next</a>.`,
  filters: [
    {
      name: "status",
      label: "Status",
      options: [["", "any"], ...statuses.map((each) => [each, each] as const)],
    },
  ],
  columns: () => [
    {
      label: "Company",
      cell: ({ id, company }) => html`<a href="${base}${section}/${id}">${bdi(company)}</a>`,
    },
    { label: "Status", cell: ({ status }) => pill(status) },
    { label: "Who asks", cell: ({ name }) => bdi(name) },
    { label: "Contact", cell: ({ contact }) => contactOf(contact) },
    { label: "Asked", cell: ({ requested_at }) => time(requested_at) },
    { label: "Promised by", cell: ({ promised_by }) => time(promised_by) },
  ],
  none: [
    "Nobody has asked yet",
    html`The form of the public site, and <code>POST /evaluations</code>, make one.`,
  ],
});

const pathOf = ({ params }: Visit): string =>
  `/admin/evaluations/${encodeURIComponent(params["id"]!)}`;

/** A website as its visitor wrote it: a link only where it is one that can be followed. */
const websiteOf = ({ website }: Evaluation): Html =>
  website === null
    ? bdi(null)
    : html`<a href="${link(website)}" rel="noreferrer nofollow">${bdi(website)}</a>`;

const told = (found: Full): Html =>
  html`<div class="two"><section aria-labelledby="who"><h2 id="who">Who asks</h2>
${facts([
  ["Name", bdi(found.name)],
  ["E-mail", bdi(found.email)],
  ["Website", websiteOf(found)],
  ["Volume", bdi(found.expected_volume)],
])}
<blockquote class="text" dir="auto">${found.use_case}</blockquote></section>
<section aria-labelledby="state"><h2 id="state">Where it stands</h2>
${facts([
  ["Asked", time(found.requested_at)],
  ["Promised by", time(found.promised_by)],
  ["Contact", contactOf(found.contact)],
  ["Answered", time(found.contacted_at)],
  ["Key fetched", time(found.key_shown_at)],
  [
    "Partner",
    found.partner_id === null
      ? bdi(null)
      : html`<a href="${base}/partners/${found.partner_id}"><code>${found.partner_id}</code></a>`,
  ],
  ["Converted", time(found.converted_at)],
  ["Closed", time(found.closed_at)],
  ["Why", bdi(found.close_reason)],
])}</section></div>`;

const notesOf = ({ notes }: Full): Html =>
  notes.length === 0
    ? html`<p class="none">None yet. A note is for the team; the visitor never sees it.</p>`
    : html`<ol class="timeline">${notes.map((note) => html`<li><p class="head">${time(note.at)} <span class="small">by <code>${note.by}</code></span></p><p>${bdi(note.text)}</p></li>`)}</ol>`;

function callsOf({ id, status, converted_at }: Full): readonly Call[] {
  const path = `/admin/evaluations/${id}`;
  const reading: Call = ["This page", "GET", path];
  if (status === "closed") return [reading];
  return [
    reading,
    ["Write the note", "POST", `${path}/note`, { text: "Called back." }],
    ["Give it", "POST", `${path}/assign`, { contact: "Ann <ann@example.org>" }],
    ...(converted_at === null ? ([["Converted", "POST", `${path}/convert`, {}]] as const) : []),
  ];
}

async function one(visit: Visit, problem?: Problem): Promise<Shown> {
  const found = await visit.api.get<Full>(pathOf(visit));
  const path = `${section}/${found.id}`;
  const open = found.status !== "closed";
  return {
    ...shown(
      found.company,
      html`${problem !== undefined && refusal(problem)}
<p class="lead">${pill(found.status)} <code>${found.id}</code></p>
${told(found)}
<section aria-labelledby="notes"><h2 id="notes">Notes</h2>${notesOf(found)}
${open && act(visit, `${path}/note`, field({ name: "text", label: "Note", value: typed(visit, "text"), rows: 3, required: true }), "Write the note")}</section>
${
  open &&
  html`<section aria-labelledby="assign"><h2 id="assign">Give it to somebody</h2>
${act(visit, `${path}/assign`, html`<div class="row">${field({ name: "contact", label: "Contact", value: typed(visit, "contact"), required: true, placeholder: "Ann <ann@example.org>", hint: "An operator's agent (agt_…), or an address. The visitor gets mail that names both." })}${field({ name: "slack_invite_url", label: "Invitation to Slack", value: typed(visit, "slack_invite_url"), hint: "Of a private channel. May be left empty." })}</div>`, "Give it")}</section>
<section aria-labelledby="end"><h2 id="end">How it ends</h2>
${found.converted_at === null && act(visit, `${path}/convert`, html`<p>The visitor became a customer.</p>`, "Converted", { look: "plain" })}
<p><a href="${base}${path}/close">Close it …</a></p></section>`
}
${found.erased_at === null && html`<p><a href="${base}${path}/erase">Erase what the visitor wrote …</a></p>`}
${curls(visit, callsOf(found))}`,
    ),
    heading: bdi(found.company),
  };
}

/** The fields of an action, those that were left empty left out. */
const filled = ({ form }: Visit, names: readonly string[]): object =>
  Object.fromEntries(
    names.flatMap((name) => (form.text(name) === "" ? [] : [[name, form.text(name)]])),
  );

const change =
  (
    name: string,
    fields: readonly string[],
    said: string,
    again: (visit: Visit, problem: Problem) => Promise<Shown> = one,
  ) =>
  (visit: Visit): Promise<Led | Shown> =>
    tried(
      visit,
      async (given) => {
        const body = fields.length === 0 ? {} : { body: filled(visit, fields) };
        await visit.api.send("POST", `${pathOf(visit)}/${name}`, { ...body, key: given.key });
        return { to: `${base}${section}/${visit.params["id"]!}`, told: said };
      },
      (problem) => again(visit, problem),
    );

async function closing(visit: Visit, problem?: Problem): Promise<Shown> {
  const found = await visit.api.get<Full>(pathOf(visit));
  const here = `${base}${section}/${found.id}`;
  return asked(visit, {
    title: "Close an evaluation",
    what: html`<strong>${bdi(found.company)}</strong> is over for the team: nobody can be given it, and no note can be written. The visitor is told nothing, and the tenant stays with its keys. A closed evaluation is not opened again.`,
    fields: field({
      name: "reason",
      label: "Reason",
      value: typed(visit, "reason"),
      hint: "For the team.",
    }),
    action: `${here}/close`,
    label: "Close it",
    call: ["POST", `${pathOf(visit)}/close`, { reason: "Answered by telephone" }],
    back: here,
    problem,
  });
}

async function erasing(visit: Visit): Promise<Shown> {
  await visit.api.get<Evaluation>(pathOf(visit));
  const here = `${base}${section}/${visit.params["id"]!}`;
  return asked(visit, {
    title: "Erase an evaluation",
    what: html`The name, the address, what the visitor wrote and the notes become unreadable for ever, in backups too: their key is destroyed. The evaluation is closed. The visitor's tenant stays. <strong>It cannot be undone.</strong>`,
    action: `${here}/erase`,
    label: "Erase it for ever",
    call: ["POST", `${pathOf(visit)}/erase`, {}],
    back: here,
  });
}

async function report(visit: Visit): Promise<Shown> {
  const found = await visit.api.get<Report>("/admin/evaluations/report");
  const { kept_share: share } = found;
  const figure = (label: string, value: string | number, hint: string): Html =>
    html`<div class="figure"><dt>${label}</dt><dd>${value}</dd><dd class="hint">${hint}</dd></div>`;
  return shown(
    "The promise of a business day",
    html`<dl class="figures-row">
${figure("Kept", share === null ? "–" : `${Math.round(share * 1_000) / 10} %`, `${found.kept} of ${found.kept + found.broken} that were due`)}
${figure("Requests", found.requests, `in the last ${inWords(Date.parse(found.to) - Date.parse(found.from))}`)}
${figure("Open", found.open, "nobody answered yet, and there is time")}
${figure("Broken", found.broken, "answered late, or not at all")}
</dl>
${facts([
  ["From", time(found.from)],
  ["To", time(found.to)],
  ["Closed unanswered", found.closed_unanswered],
  ["Not told to Slack", found.untold],
])}
<p><a href="${base}${section}">All evaluations</a></p>
${curl(visit, "GET", "/admin/evaluations/report")}`,
  );
}

const lineOf = ({ agent_id, name, email }: Contact): string =>
  agent_id ?? (name === "" ? email : `${name} <${email}>`);

async function rota(visit: Visit, problem?: Problem): Promise<Shown> {
  const { body, etag } = await visit.api.read<Rota>("/admin/evaluations/rota");
  return shown(
    "Rota",
    html`${problem !== undefined && refusal(problem)}
<p>Who takes the next evaluations, in turn, from the first.</p>
${
  body.contacts.length === 0
    ? empty("Nobody is on it", "New evaluations wait until somebody is given them by hand.")
    : table<Contact>(
        "In turn",
        [
          { label: "Name", cell: ({ name }) => bdi(name) },
          { label: "E-mail", cell: ({ email }) => bdi(email) },
        ],
        body.contacts,
      )
}
${act(visit, `${section}/rota`, field({ name: "contacts", label: "One a line", value: typed(visit, "contacts", body.contacts.map(lineOf).join("\n")), rows: 6, hint: "An operator's agent (agt_…), or an address with or without a name." }), "Set the rota", { etag })}
<p><a href="${base}${section}">All evaluations</a></p>
${curl(visit, "PUT", "/admin/evaluations/rota", { contacts: ["Ann <ann@example.org>"] })}`,
  );
}

const setRota = (visit: Visit): Promise<Led | Shown> =>
  tried(
    visit,
    async (given) => {
      const contacts = visit.form
        .text("contacts")
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line !== "");
      await visit.api.send("PUT", "/admin/evaluations/rota", {
        body: { contacts },
        ...given,
      });
      return { to: `${base}${section}/rota`, told: "The rota is set." };
    },
    (problem) => rota(visit, problem),
  );

const at = `${section}/:id`;
export const evaluationPages: readonly Page[] = [
  list,
  { method: "GET", path: `${section}/report`, section, answer: report },
  { method: "GET", path: `${section}/rota`, section, answer: (visit) => rota(visit) },
  { method: "POST", path: `${section}/rota`, section, answer: setRota },
  { method: "GET", path: at, section, answer: (visit) => one(visit) },
  { method: "POST", path: `${at}/note`, section, answer: change("note", ["text"], "Noted.") },
  {
    method: "POST",
    path: `${at}/assign`,
    section,
    answer: change("assign", ["contact", "slack_invite_url"], "Given. The visitor gets mail."),
  },
  {
    method: "POST",
    path: `${at}/convert`,
    section,
    answer: change("convert", [], "A customer. Well done."),
  },
  { method: "GET", path: `${at}/close`, section, answer: (visit) => closing(visit) },
  {
    method: "POST",
    path: `${at}/close`,
    section,
    answer: change("close", ["reason"], "Closed.", closing),
  },
  { method: "GET", path: `${at}/erase`, section, answer: erasing },
  { method: "POST", path: `${at}/erase`, section, answer: change("erase", [], "Erased for ever.") },
];
