import { html, type Html, type Form } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { Refused, type Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import { acted, asked, once } from "../view/forms.ts";
import { curl, facts, field, refusal, time } from "../view/parts.ts";
import { progress } from "../view/progress.ts";
import { contactApi, contactPath } from "./contact-paths.ts";

type Contact = Answers["Contact"];

/** One a line: what people write into a form, and read in one. */
const linesOf = (text: string): readonly string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

const fieldNames = ["name", "language", "time_zone", "client_ref"] as const;

type Typed = Readonly<Record<(typeof fieldNames)[number] | "tags" | "attributes", string>>;

const typedOf = (form: Form): Typed => ({
  name: form.text("name"),
  language: form.text("language"),
  time_zone: form.text("time_zone"),
  client_ref: form.text("client_ref"),
  tags: form.text("tags"),
  attributes: form.text("attributes"),
});
const typedAs = (found: Contact): Typed => ({
  name: found.name ?? "",
  language: found.language ?? "",
  time_zone: found.time_zone ?? "",
  client_ref: found.client_ref ?? "",
  tags: found.tags.join("\n"),
  attributes: Object.entries(found.attributes).filter(isLine).map(lineOf).join("\n"),
});

type Attribute = readonly [string, unknown];
const lineOf = ([key, value]: Attribute): string => `${key}=${String(value)}`;
const partsOf = (line: string): [string, string] => {
  const at = line.indexOf("=");
  return at < 0 ? [line.trim(), ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
};
/** Whether a line holds it whole. What none does, such as a text of several lines, the form does not show and does not change. */
function isLine(attribute: Attribute): boolean {
  const lines = linesOf(lineOf(attribute));
  const [key, value] = partsOf(lines[0] ?? "");
  return lines.length === 1 && key === attribute[0] && value === String(attribute[1]);
}

/** What `key=value` lines change of what was there: a line that reads as it did says nothing, so that a number stays one; one that is gone takes its attribute away. */
function attributesOf(
  text: string,
  before: Contact["attributes"],
): Readonly<Record<string, string | number | boolean | null>> {
  const now = new Map(linesOf(text).map(partsOf));
  const changed = [...now].filter(
    ([key, value]) => !Object.hasOwn(before, key) || String(before[key]) !== value,
  );
  const gone = Object.entries(before)
    .filter((attribute) => isLine(attribute) && !now.has(attribute[0]))
    .map(([key]): [string, null] => [key, null]);
  return Object.fromEntries([...changed, ...gone]);
}

/** What the form says, as a patch: an empty field takes away what was there. */
const patchOf = (typed: Typed, before: Contact["attributes"]): Answers["ContactPatch"] => ({
  ...Object.fromEntries(fieldNames.map((name) => [name, typed[name] === "" ? null : typed[name]])),
  tags: linesOf(typed.tags),
  attributes: attributesOf(typed.attributes, before),
});

const profileFields = (typed: Typed): Html => html`<div class="row">
${field({ name: "name", label: "Name", value: typed.name })}
${field({ name: "client_ref", label: "Your reference", value: typed.client_ref })}
${field({ name: "language", label: "Language", value: typed.language, hint: "Such as en or pt-BR." })}
${field({ name: "time_zone", label: "Time zone", value: typed.time_zone, hint: "Such as Europe/Berlin. Quiet hours go by it." })}
</div><div class="row">
${field({ name: "tags", label: "Tags", value: typed.tags, rows: 3, hint: "One a line." })}
${field({ name: "attributes", label: "Attributes", value: typed.attributes, rows: 3, hint: html`<code>key=value</code>, one a line.` })}
</div>`;

function blank(visit: Visit, problem?: Problem): Shown {
  const { form } = visit;
  const example = {
    name: "Ada Lovelace",
    external_ids: [{ source: "sms", id: "+15551230001" }],
  };
  return shown(
    "New contact",
    html`${problem !== undefined && refusal(problem)}${taken(problem)}
<form class="sheet" method="post" action="${base}/contacts/new">${once(visit)}
<div class="row">${field({ name: "source", label: "Known by: source", value: form.text("source") || "sms", required: true, hint: "A channel, or the name of a system of yours." })}${field({ name: "external_id", label: "Known by: id", value: form.text("external_id"), hint: "A number with its country, an address, or what your system calls the person." })}</div>
${profileFields(typedOf(form))}
<div class="actions"><button class="main" type="submit">Make it</button><a href="${base}/contacts">Back to the contacts</a></div></form>
${curl(visit, "POST", "/contacts", example)}`,
    problem?.status,
  );
}

/** Whoever has the external id already. */
const taken = (problem: Problem | undefined): Html | undefined => {
  const id = (problem as { readonly contact_id?: string } | undefined)?.contact_id;
  return id === undefined
    ? undefined
    : html`<p><a href="${contactPath(id)}">Go to the contact that has it</a></p>`;
};

const create = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      const { form, api } = visit;
      const id = form.text("external_id");
      const body = {
        ...patchOf(typedOf(form), {}),
        ...(id !== "" && { external_ids: [{ source: form.text("source"), id }] }),
      };
      const made = await api.send<Contact>("POST", "/contacts", { body, key });
      return { to: contactPath(made.id), told: "The contact is made." };
    },
    (problem) => blank(visit, problem),
  );

async function edit(visit: Visit, problem?: Problem): Promise<Shown> {
  const id = visit.params["id"]!;
  const { body: found, etag } = await visit.api.read<Contact>(contactApi(id));
  const typed = problem === undefined ? typedAs(found) : typedOf(visit.form);
  return shown(
    "Edit a contact",
    html`${problem !== undefined && refusal(problem)}
<form class="sheet" method="post" action="${contactPath(id)}/edit">${once(visit, etag)}
${profileFields(typed)}
<div class="actions"><button class="main" type="submit">Keep this</button><a href="${contactPath(id)}">Leave it as it is</a></div></form>
${curl(visit, "PATCH", contactApi(id), { name: "Ada Lovelace" })}`,
    problem?.status,
  );
}

const change = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async (given) => {
      const { api, form, params } = visit;
      const id = params["id"]!;
      const { attributes } = await api.get<Contact>(contactApi(id));
      const body = patchOf(typedOf(form), attributes);
      await api.send("PATCH", contactApi(id), { body, ...given });
      return { to: contactPath(id), told: "Changed." };
    },
    (problem) => edit(visit, problem),
  );

const sure = async (visit: Visit, problem?: Problem): Promise<Shown> => {
  const id = visit.params["id"]!;
  const { etag } = await visit.api.read<Contact>(contactApi(id));
  return asked(visit, {
    title: "Erase a contact",
    what: html`The keys that <code>${id}</code> is sealed under are destroyed. Name, addresses, attributes and every text of the conversations are unreadable from then on, for ever, in backups too. Nobody can undo it. That there were messages, and what they cost, stays.`,
    action: `${contactPath(id)}/erase`,
    label: "Erase for ever",
    call: ["DELETE", contactApi(id)],
    back: contactPath(id),
    etag,
    problem,
  });
};

const erase = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async (given) => {
      const id = visit.params["id"]!;
      await visit.api.send("DELETE", contactApi(id), given).catch((error: unknown) => {
        // Posted twice, it is being erased already.
        if (!(error instanceof Refused) || error.problem.code !== "contact_erased") throw error;
      });
      return { to: `${contactPath(id)}/erasure` };
    },
    (problem) => sure(visit, problem),
  );

/** How far an erasure is. */
async function erasure({ api, params, ...visit }: Visit): Promise<Shown> {
  const id = params["id"]!;
  const found = await api.get<Answers["ContactErasure"]>(`${contactApi(id)}/erasure`);
  const { certificate, status } = found;
  const at = `${contactPath(id)}/erasure`;
  return shown(
    "Erasure",
    html`${progress({
      going: status !== "completed",
      here: at,
      body: html`${
        certificate === null
          ? html`<div class="notice"><p>The keys are being destroyed. Nothing of the contact is shown any more.</p></div>`
          : html`<p class="lead">The keys are destroyed.</p>`
      }
${facts([
  ["Contact", html`<code>${id}</code>`],
  ["Erasure", html`<code>${found.erasure_id}</code>`],
  ["Asked for", time(found.requested_at)],
  ["Keys destroyed", time(found.key_destroyed_at)],
])}
${certificate !== null && html`<section aria-labelledby="certificate"><h2 id="certificate">Certificate</h2><p>${certificate.statement}</p><pre tabindex="0"><code>${JSON.stringify(certificate, null, 2)}</code></pre></section>`}`,
    })}
${curl(visit, "GET", `${contactApi(id)}/erasure`)}`,
  );
}

const page = (method: Page["method"], path: string, answer: Page["answer"]): Page => ({
  method,
  path: `/contacts/${path}`,
  section: "/contacts",
  answer,
});

export const contactChanges: readonly Page[] = [
  page("GET", "new", async (visit) => blank(visit)),
  page("POST", "new", create),
  page("GET", ":id/edit", (visit) => edit(visit)),
  page("POST", ":id/edit", change),
  page("GET", ":id/erase", (visit) => sure(visit)),
  page("POST", ":id/erase", erase),
  { ...page("GET", ":id/erasure", erasure), live: true },
];
