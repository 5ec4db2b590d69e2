import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { Refused, type Problem } from "../client.ts";
import { shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import { acted, once } from "../view/forms.ts";
import { bdi, curl, facts, field, refusal } from "../view/parts.ts";
import { called } from "../view/person.ts";
import { contactApi, contactPath } from "./contact-paths.ts";

type Contact = Answers["Contact"];
type Merge = Answers["ContactMerge"];

const idOf = ({ params }: Visit): string => params["id"]!;

/** Which contact takes this one in; once that is said, what would come of it. */
async function merge(visit: Visit, problem?: Problem): Promise<Shown> {
  const id = idOf(visit);
  const into = visit.form.text("into") || visit.query.text("into");
  const one = await visit.api.get<Contact>(contactApi(id));
  const preview = into === "" ? undefined : await previewOf(visit, into);
  const refused = problem ?? (preview instanceof Refused ? preview.problem : undefined);
  return shown(
    "Merge two contacts",
    html`${refused !== undefined && refusal(refused)}
<p>${called(one)} becomes part of another contact. The external ids, conversations and messages go along; a merge can be undone.</p>
${
  preview === undefined || preview instanceof Refused
    ? html`<form class="sheet inline" method="get" action="${contactPath(id)}/merge">${field({ name: "into", label: "Into the contact", value: into, required: true, placeholder: "cnt_…" })}<div class="actions"><button class="main" type="submit">Show what would come of it</button></div></form>`
    : confirmation(visit, one, preview)
}
<p><a href="${contactPath(id)}">Leave it as it is</a></p>
${curl(visit, "POST", `${contactApi(id)}/merge`, { into: into || "cnt_…", dry_run: true })}`,
    refused?.status,
  );
}

async function previewOf(visit: Visit, into: string): Promise<Merge | Refused> {
  const body = { into, dry_run: true };
  try {
    return await visit.api.send<Merge>("POST", `${contactApi(idOf(visit))}/merge`, { body });
  } catch (error) {
    if (error instanceof Refused && error.problem.status !== 403) return error;
    throw error;
  }
}

const confirmation = (visit: Visit, { id }: Contact, { contact, moved }: Merge): Html =>
  html`<section aria-labelledby="after"><h2 id="after">Afterwards there is one contact</h2>
${facts([
  ["Contact", html`${called(contact)} <code>${contact.id}</code>`],
  [
    "Known by",
    html`${contact.external_ids.map((each) => html`<span class="id"><span class="small">${each.source}</span> ${bdi(each.id)}</span> `)}`,
  ],
  ["Language", bdi(contact.language)],
  ["Time zone", bdi(contact.time_zone)],
  ["Tags", bdi(contact.tags.join(", "))],
  ...Object.entries(contact.attributes).map(([key, value]): [string, Html] => [
    key,
    bdi(String(value)),
  ]),
  [
    "Moves over",
    `${moved.external_ids} external ids, ${moved.conversations} conversations, ${moved.messages} messages`,
  ],
])}
<form method="post" action="${contactPath(id)}/merge">${once(visit)}<input type="hidden" name="into" value="${contact.id}"><div class="actions"><button class="main" type="submit">Merge</button><a href="${contactPath(id)}/merge">Another contact</a></div></form></section>`;

const join = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      const body = { into: visit.form.text("into") };
      const path = `${contactApi(idOf(visit))}/merge`;
      const { contact } = await visit.api.send<Merge>("POST", path, { body, key });
      return { to: contactPath(contact.id), told: "Merged. It can be undone below." };
    },
    (problem) => merge(visit, problem),
  );

const page = (method: Page["method"], path: string, answer: Page["answer"]): Page => ({
  method,
  path: `/contacts/:id/${path}`,
  section: "/contacts",
  answer,
});

export const contactMerges: readonly Page[] = [
  page("GET", "merge", (visit) => merge(visit)),
  page("POST", "merge", join),
];
