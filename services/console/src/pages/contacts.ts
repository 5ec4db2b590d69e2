import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { Refused, type Problem } from "../client.ts";
import { base, shown, type Page, type Shown, type Visit } from "../page.ts";
import type { List } from "../shapes.ts";
import {
  bdi,
  curl,
  curls,
  empty,
  facts,
  field,
  pages,
  refusal,
  table,
  time,
  type Call,
} from "../view/parts.ts";
import { called } from "../view/person.ts";
import { thread } from "../view/thread.ts";
import { button, once } from "../view/forms.ts";
import { consentsOf } from "./contact-consents.ts";
import { contactApi, contactPath, mayChange } from "./contact-paths.ts";

type Contact = Answers["Contact"];
type Said = Answers["ConversationMessage"];
type Duplicate = Answers["DuplicateContact"];
type Consent = Answers["Consent"];
type LastingMerge = Answers["LastingMerge"];

const filterNames = ["q", "external_id", "tag"];
const pageSize = 50;
const historySize = 25;

const addresses = ({ external_ids: ids }: Contact): Html =>
  html`${ids.slice(0, 3).map(({ source, id }) => html`<span class="id"><span class="small">${source}</span> ${bdi(id)}</span> `)}${ids.length > 3 && html`<span class="small">and ${ids.length - 3} more</span>`}`;

/** A page of those who fit, or why the words find nobody. */
async function search(
  { api, query }: Visit,
  filters: Readonly<Record<string, string>>,
): Promise<List<Contact> | Refused> {
  try {
    return await api.get<List<Contact>>("/contacts", {
      ...filters,
      after: query.text("after"),
      before: query.text("before"),
      limit: pageSize,
    });
  } catch (error) {
    if (error instanceof Refused && error.problem.code === "invalid_request") return error;
    throw error;
  }
}

async function list(visit: Visit): Promise<Shown> {
  const { query } = visit;
  const filters = Object.fromEntries(filterNames.map((name) => [name, query.text(name)]));
  const asked = new URLSearchParams(Object.entries(filters).filter(([, value]) => value !== ""));
  const found = await search(visit, filters);
  const problem = found instanceof Refused ? found.problem : undefined;
  const value = (name: string): string => filters[name] ?? "";
  return shown(
    "Contacts",
    html`<form class="filters" method="get" action="${base}/contacts">
${field({ name: "q", label: "Name or address", value: value("q"), type: "search" })}
${field({ name: "external_id", label: "External id", value: value("external_id"), type: "search" })}
${field({ name: "tag", label: "Tag", value: value("tag"), type: "search" })}
<div class="actions"><button type="submit">Search</button>${asked.size > 0 && html`<a href="${base}/contacts">Show all</a>`}</div>
</form>
${problem !== undefined && refusal(problem)}
<p class="bar">${mayChange(visit) && html`<a class="go" href="${base}/contacts/new">New contact</a><a href="${base}/contacts/import">Import</a>`}<a href="${base}/contacts/export" download>Export as CSV</a></p>
${found instanceof Refused ? undefined : listed(found, asked.size > 0)}
${found instanceof Refused ? undefined : pages(`${base}/contacts`, filters, found)}
${curl(visit, "GET", `/contacts${asked.size > 0 ? `?${asked.toString()}` : ""}`)}`,
    problem?.status,
  );
}

const listed = ({ data }: List<Contact>, filtered: boolean): Html =>
  data.length > 0
    ? table(
        "Contacts, newest first",
        [
          {
            label: "Name",
            cell: (row) => html`<a href="${contactPath(row.id)}">${called(row)}</a>`,
          },
          { label: "Known by", cell: addresses },
          { label: "Tags", cell: ({ tags }) => bdi(tags.join(", ")) },
          { label: "Changed", cell: ({ updated_at }) => time(updated_at) },
        ],
        data,
      )
    : filtered
      ? empty("Nobody fits", html`Take a word away, or <a href="${base}/contacts">show all</a>.`)
      : empty(
          "No contact yet",
          html`Whoever writes to you becomes a contact by itself. Make one above, import a file, or call <code>PUT /contacts/by-external-id/{source}/{id}</code> from your own system.`,
        );

/** What there is; nothing where a part of it is not for this role. */
async function allowed<Body>(asked: Promise<Body>, otherwise: Body): Promise<Body> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Refused && error.problem.status === 403) return otherwise;
    throw error;
  }
}

/** Which form of the page was refused: what was typed into it is kept. */
export type Part = "adding" | "consent" | "other";
type Failed = { readonly part: Part; readonly problem: Problem };

/** A contact with all that is known of it, and with what was refused just now. */
export async function showContact(visit: Visit, failed?: Failed): Promise<Shown> {
  const { api, params, query } = visit;
  const id = params["id"]!;
  const path = contactApi(id);
  let contact: Contact | Answers["MergedContact"];
  try {
    contact = await api.get(path);
  } catch (error) {
    if (error instanceof Refused && error.problem.code === "contact_erased") return gone(id);
    throw error;
  }
  if ("merged_into" in contact) return partOf(contact);
  const none = { data: [], next_cursor: null, prev_cursor: null };
  const [history, duplicates, consents, merges] = await Promise.all([
    allowed<List<Said>>(
      api.get(`${path}/messages`, {
        limit: historySize,
        after: query.text("after"),
        before: query.text("before"),
      }),
      none,
    ),
    api.get<List<Duplicate>>(`${path}/duplicates`),
    api.get<List<Consent>>(`${path}/consents`),
    api.get<List<LastingMerge>>(`${path}/merges`),
  ]);
  const at = contactPath(id);
  return {
    title: "Contact",
    heading: called(contact),
    ...(failed !== undefined && { status: failed.problem.status }),
    body: html`${failed !== undefined && refusal(failed.problem)}${mayChange(visit) && html`<div class="bar"><a href="${at}/edit">Edit</a><a href="${at}/merge">Merge</a><a class="grave" href="${at}/erase">Erase</a></div>`}
<div class="two desk">
<section aria-labelledby="history"><h2 id="history">What was said</h2>
${history.data.length === 0 ? empty("Nothing yet", html`What this person writes, and what is sent to one of the addresses, stands here, newest first. <a href="${base}/send">Send something</a>`) : thread({ label: "What was said, newest first", person: called(contact), said: history.data })}
${pages(at, {}, history)}</section>
<div class="aside">
${profile(contact)}
${externalIds(visit, contact, failed?.part === "adding")}
${merges.data.length > 0 && mergesOf(visit, id, merges.data)}
${duplicatesOf(visit, id, duplicates.data)}
${consentsOf(visit, id, consents.data, failed?.part === "consent")}
</div></div>
${curls(visit, callsOf(visit, contact, merges.data))}`,
  };
}

/** A consent has its own beside its form. */
function callsOf(visit: Visit, contact: Contact, merges: readonly LastingMerge[]): readonly Call[] {
  const path = contactApi(contact.id);
  const reading: Call = ["This page", "GET", path];
  if (!mayChange(visit)) return [reading];
  const example = contact.external_ids[0] ?? { source: "crm", id: "C-1" };
  const named = [example.source, example.id].map(encodeURIComponent).join("/");
  return [
    reading,
    ["Add", "POST", `${path}/external-ids`, { source: "crm", id: "C-1" }],
    ["Remove", "DELETE", `${path}/external-ids/${named}`],
    ...merges
      .slice(0, 1)
      .map(({ merge_id }): Call => ["Unmerge", "POST", `${path}/unmerge`, { merge_id }]),
  ];
}

const profile = (contact: Contact): Html =>
  html`<section aria-labelledby="facts"><h2 id="facts">Facts</h2>${facts([
    ["Id", html`<code>${contact.id}</code>`],
    ["Language", bdi(contact.language)],
    ["Time zone", bdi(contact.time_zone)],
    ["Tags", bdi(contact.tags.join(", "))],
    ["Your reference", bdi(contact.client_ref)],
    ...Object.entries(contact.attributes).map(([key, value]): [string, Html] => [
      key,
      bdi(String(value)),
    ]),
    ["Made", time(contact.created_at)],
    ["Changed", time(contact.updated_at)],
  ])}</section>`;

const externalIds = (visit: Visit, { id, external_ids: ids }: Contact, again: boolean): Html => {
  const value = (name: string): string => (again ? visit.form.text(name) : "");
  const may = mayChange(visit);
  const at = `${contactPath(id)}/external-ids`;
  const removal = (each: Answers["ExternalId"]): Html =>
    button(visit, `${at}/remove`, "Remove", {
      fields: { source: each.source, id: each.id },
      about: `${each.source} ${each.id}`,
    });
  return html`<section aria-labelledby="ids"><h2 id="ids">Known by</h2>
${
  ids.length === 0
    ? html`<p class="none">No external id. Nothing can be matched to this contact.</p>`
    : table(
        "External ids",
        [
          { label: "Source", cell: ({ source }) => source },
          { label: "Id", cell: (each) => bdi(each.id) },
          { label: "Since", cell: ({ added_at }) => time(added_at) },
          ...(may ? [{ label: "Remove", cell: removal }] : []),
        ],
        ids,
      )
}
${may && html`<details${again && html` open`}><summary>Add an external id</summary><form class="sheet" method="post" action="${at}">${once(visit)}<div class="row">${field({ name: "source", label: "Source", value: value("source"), required: true, placeholder: "sms, email, crm" })}${field({ name: "id", label: "Id", value: value("id"), required: true })}</div><div class="actions"><button type="submit">Add</button></div></form></details>`}</section>`;
};

const mergesOf = (visit: Visit, id: string, merges: readonly LastingMerge[]): Html =>
  html`<section aria-labelledby="merges"><h2 id="merges">Merged into this one</h2>${table(
    "Contacts that are part of this one",
    [
      { label: "Contact", cell: ({ contact_id }) => html`<code>${contact_id}</code>` },
      { label: "Since", cell: ({ merged_at }) => time(merged_at) },
      ...(mayChange(visit)
        ? [
            {
              label: "Undo",
              cell: ({ merge_id, contact_id }: LastingMerge) =>
                button(visit, `${contactPath(id)}/unmerge`, "Unmerge", {
                  fields: { merge_id },
                  about: contact_id,
                }),
            },
          ]
        : []),
    ],
    merges,
  )}</section>`;

const duplicatesOf = (visit: Visit, id: string, found: readonly Duplicate[]): Html =>
  html`<section aria-labelledby="duplicates"><h2 id="duplicates">Perhaps the same person</h2>${
    found.length === 0
      ? html`<p class="none">Nobody else looks like this contact.</p>`
      : table(
          "Contacts that may be the same person, the likeliest first",
          [
            {
              label: "Contact",
              cell: ({ contact_id }) =>
                html`<a href="${contactPath(contact_id)}"><code>${contact_id}</code></a>`,
            },
            { label: "Why", cell: ({ reasons }) => reasons.join(", ").replaceAll("_", " ") },
            { label: "Likely", figures: true, cell: ({ score }) => `${Math.round(score * 100)} %` },
            ...(mayChange(visit)
              ? [
                  {
                    label: "Merge",
                    cell: ({ contact_id }: Duplicate) =>
                      html`<a href="${contactPath(contact_id)}/merge?into=${id}" aria-label="Merge ${contact_id} into this contact">Merge</a>`,
                  },
                ]
              : []),
          ],
          found,
        )
  }</section>`;

const partOf = ({ id, merged_into: into }: Answers["MergedContact"]): Shown =>
  shown(
    "Merged contact",
    html`<div class="notice"><p><code>${id}</code> is part of another contact now. Its addresses, conversations and messages are there.</p><p><a href="${contactPath(into)}">Go to the contact that it is part of</a>. There the merge can be undone.</p></div>`,
  );

const gone = (id: string): Shown =>
  shown(
    "Erased contact",
    html`<p><code>${id}</code> was erased: what it said is unreadable for ever.</p><p><a href="${contactPath(id)}/erasure">How far the erasure is, and its certificate</a></p>`,
    410,
  );

export const contactPages: readonly Page[] = [
  { method: "GET", path: "/contacts", section: "/contacts", answer: list },
  {
    method: "GET",
    path: "/contacts/export",
    section: "/contacts",
    answer: async ({ api }) => ({ file: await api.download("/contacts/export") }),
  },
  {
    method: "GET",
    path: "/contacts/:id",
    section: "/contacts",
    answer: (visit) => showContact(visit),
  },
];
