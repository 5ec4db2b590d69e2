import { hasScope } from "@heliograph/api";
import { html, type Form, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { allOf, notAll } from "../all-of.ts";
import type { Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import { acted, asked, once } from "../view/forms.ts";
import { bdi, curl, empty, field, refusal, table } from "../view/parts.ts";
import { channels } from "./messages.ts";

type Pool = Answers["SenderPool"];

const section = "/routing";
const home = `${base}/routing/pools`;
const mayWrite = ({ who }: Visit): boolean => hasScope(who.scopes, "senders:write");
const apiPath = ({ params }: Visit): string => `/sender-pools/${encodeURIComponent(params["id"]!)}`;
const pageOf = ({ params }: Visit): string => `${home}/${encodeURIComponent(params["id"]!)}`;

async function list(visit: Visit): Promise<Shown> {
  const { data, more } = await allOf<Pool>(visit.api, "/sender-pools");
  return shown(
    "Pools of senders",
    html`<p>A message that names a pool has one of its senders: the same one for a recipient each time, and all of them for about as many.</p>
<div class="bar">${mayWrite(visit) && html`<a class="go" href="${home}/new">Make a pool</a>`}<a href="${base}${section}">Routing</a></div>
${
  data.length === 0
    ? empty("No pool yet", "Messages have the sender that they name, or the gateway's own.")
    : table(
        "Pools",
        [
          {
            label: "Name",
            cell: ({ id, name }: Pool) => html`<a href="${home}/${id}">${bdi(name)}</a>`,
          },
          { label: "Channel", cell: ({ channel }: Pool) => channel },
          { label: "Senders", figures: true, cell: ({ senders }: Pool) => senders.length },
          {
            label: "For",
            cell: ({ default: isDefault }: Pool) =>
              isDefault ? "messages that name no sender" : "messages that name it",
          },
        ],
        data,
      )
}
${more && html`<p class="hint">${notAll}</p>`}
${curl(visit, "GET", "/sender-pools")}`,
  );
}

type Typed = { readonly senders: readonly string[]; readonly default: boolean };

/** A sender to a line: names may hold blanks and commas. */
const typedOf = (form: Form): Typed => ({
  senders: form
    .text("senders")
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== ""),
  default: form.text("default") === "yes",
});

const settingFields = ({ senders, default: isDefault }: Typed): Html =>
  html`${field({ name: "senders", label: "Senders", value: senders.join("\n"), rows: 6, required: true, hint: "One to a line: numbers, names, or mail addresses." })}
${field({ name: "default", label: "For messages that name no sender", value: isDefault ? "yes" : "no", options: ["no", "yes"] })}`;

function blank(visit: Visit, problem?: Problem): Shown {
  const { form } = visit;
  return shown(
    "Make a pool",
    html`${problem !== undefined && refusal(problem)}<form class="sheet" method="post" action="${home}/new">${once(visit)}
<div class="row">${field({ name: "name", label: "Name", value: form.text("name"), required: true, placeholder: "eu-numbers" })}
${field({ name: "channel", label: "Channel", value: form.text("channel") || "sms", options: channels })}</div>
${settingFields(typedOf(form))}
<div class="actions"><button class="main" type="submit">Make it</button><a href="${home}">Back to the pools</a></div></form>
${curl(visit, "POST", "/sender-pools", { name: "eu-numbers", channel: "sms", senders: ["+15550100001", "+15550100002"] })}`,
    problem?.status,
  );
}

const create = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      const { form, api } = visit;
      const body = { name: form.text("name"), channel: form.text("channel"), ...typedOf(form) };
      await api.send<Pool>("POST", "/sender-pools", { body, key });
      return { to: home, told: "The pool is made." };
    },
    (problem) => blank(visit, problem),
  );

async function pool(visit: Visit, problem?: Problem): Promise<Shown> {
  const { body: found, etag } = await visit.api.read<Pool>(apiPath(visit));
  const typed = problem === undefined ? found : typedOf(visit.form);
  return shown(
    "Pool of senders",
    html`<p class="lead">${bdi(found.name)}</p><p>Of ${found.channel}. <code>${found.id}</code> is what routing rules name.</p>${problem !== undefined && refusal(problem)}
${
  mayWrite(visit)
    ? html`<form class="sheet" method="post" action="${pageOf(visit)}">${once(visit, etag)}
${settingFields(typed)}
<div class="actions"><button class="main" type="submit">Keep this</button><a href="${pageOf(visit)}/delete">Remove</a></div></form>`
    : html`<ul>${found.senders.map((sender) => html`<li>${bdi(sender)}</li>`)}</ul>`
}
<p><a href="${home}">Back to the pools</a></p>
${curl(visit, "PATCH", apiPath(visit), { senders: found.senders })}`,
    problem?.status,
  );
}

const change = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async (given) => {
      await visit.api.send<Pool>("PATCH", apiPath(visit), { body: typedOf(visit.form), ...given });
      return { to: home, told: "The pool is changed." };
    },
    (problem) => pool(visit, problem),
  );

async function leaving(visit: Visit, problem?: Problem): Promise<Shown> {
  const { body: found, etag } = await visit.api.read<Pool>(apiPath(visit));
  return asked(visit, {
    title: "Remove the pool",
    what: html`${bdi(found.name)} is gone then: messages that name it are refused, those that were accepted keep their sender, and answers come to conversations of each address.`,
    action: `${pageOf(visit)}/delete`,
    label: "Remove it",
    back: pageOf(visit),
    etag,
    problem,
    call: ["DELETE", apiPath(visit)],
  });
}

const remove = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async (given) => {
      await visit.api.send("DELETE", apiPath(visit), given);
      return { to: home, told: "The pool is removed." };
    },
    (problem) => leaving(visit, problem),
  );

const path = "/routing/pools";
export const senderPoolPages: readonly Page[] = [
  { method: "GET", path, section, answer: list },
  { method: "GET", path: `${path}/new`, section, answer: async (visit) => blank(visit) },
  { method: "POST", path: `${path}/new`, section, answer: create },
  { method: "GET", path: `${path}/:id`, section, answer: (visit) => pool(visit) },
  { method: "POST", path: `${path}/:id`, section, answer: change },
  { method: "GET", path: `${path}/:id/delete`, section, answer: (visit) => leaving(visit) },
  { method: "POST", path: `${path}/:id/delete`, section, answer: remove },
];
