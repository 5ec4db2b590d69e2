import { hasScope } from "@heliograph/api";
import { scopes } from "@heliograph/contracts";
import { html, type Html, type Form } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import type { Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import { acted, asked, checks, once, ticked, words } from "../view/forms.ts";
import { bdi, curl, facts, field, pill, refusal, time } from "../view/parts.ts";
import { listPage } from "./lists.ts";
import { overlaps } from "./overlaps.ts";

type Key = Answers["Key"];

const section = "/keys";
const home = `${base}${section}`;
const mayWrite = ({ who }: Visit): boolean => hasScope(who.scopes, "keys:write");
const apiPath = ({ params }: Visit): string => `/keys/${encodeURIComponent(params["id"]!)}`;
const pageOf = ({ params }: Visit): string => `${home}/${encodeURIComponent(params["id"]!)}`;

const scopesOf = (list: readonly string[]): string =>
  list.length > 3 ? `${list.slice(0, 3).join(", ")} and ${list.length - 3} more` : list.join(", ");

const list = listPage<Key>({
  path: section,
  title: "Keys",
  from: "/keys",
  lead: "How programs of yours sign in. A key is shown once, when it is issued, and is never stronger than whoever issues it.",
  tools: (visit) =>
    mayWrite(visit) && html`<p class="bar"><a class="go" href="${home}/new">Issue a key</a></p>`,
  columns: () => [
    { label: "Name", cell: ({ id, name }) => html`<a href="${home}/${id}">${bdi(name)}</a>` },
    { label: "Begins with", cell: ({ prefix }) => html`<code>${prefix}</code>` },
    { label: "Status", cell: ({ status }) => pill(status) },
    { label: "May do", cell: ({ scopes: may }) => scopesOf(may) },
    { label: "Last used", cell: ({ last_used_at }) => time(last_used_at) },
    { label: "Ends", cell: ({ expires_at }) => time(expires_at) },
  ],
  none: [
    "No key yet",
    html`A key is how a program of yours signs in. Issue one above, or <code>POST /keys</code> with one that you have.`,
  ],
});

/** The day that a key has last, whole. */
const endOf = (day: string): string => (/^\d{4}-\d\d-\d\d$/.test(day) ? `${day}T23:59:59Z` : day);

function bodyOf(form: Form): Record<string, unknown> {
  const wanted = ticked(form, "scopes");
  const cidrs = words(form.text("allowed_cidrs"));
  const ends = form.text("expires_at");
  return {
    name: form.text("name"),
    ...(wanted.length > 0 && { scopes: wanted }),
    ...(ends !== "" && { expires_at: endOf(ends) }),
    ...(cidrs.length > 0 && { allowed_cidrs: cidrs }),
  };
}

function blank(visit: Visit, problem?: Problem): Shown {
  const { form, who, environment } = visit;
  const wanted = ticked(form, "scopes");
  const offered = Object.entries(scopes).filter(
    ([scope]) => scope !== "admin" && hasScope(who.scopes, scope),
  );
  const example =
    problem === undefined ? { name: "checkout", scopes: ["messages:write"] } : bodyOf(form);
  return shown(
    `Issue a key for ${environment === "live" ? "live" : "the sandbox"}`,
    html`${problem !== undefined && refusal(problem)}<form class="sheet" method="post" action="${home}/new">${once(visit)}
${field({ name: "name", label: "Name", value: form.text("name"), required: true, hint: "Of the program that will have it." })}
${checks(
  "May do",
  "scopes",
  offered.map(([scope, means]) => [scope, html`<code>${scope}</code> <small>${means}</small>`]),
  (scope) => wanted.includes(scope),
  "None ticked: all that you may. Tick what it needs: a key that leaks does no more than that.",
)}
<div class="row">
${field({ name: "expires_at", label: "Last day", value: form.text("expires_at"), type: "date", hint: "You are warned before it ends. Left empty: it does not end." })}
${field({ name: "allowed_cidrs", label: "Only from", value: form.text("allowed_cidrs"), rows: 2, hint: html`Addresses or blocks such as <code>203.0.113.0/24</code>. Left empty: from anywhere.` })}
</div>
<div class="actions"><button class="main" type="submit">Issue it</button><a href="${home}">Back to the keys</a></div></form>
${curl(visit, "POST", "/keys", example)}`,
    problem?.status,
  );
}

/** A call that was made before is answered without the key: it was shown then. */
const secretsOf = (key: string | null): Pick<Led, "secrets"> =>
  key === null ? {} : { secrets: [["Key", key]] };

const issue = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      const { api, form } = visit;
      const made = await api.send<Answers["IssuedKey"]>("POST", "/keys", {
        body: bodyOf(form),
        key,
      });
      const told = made.key === null ? "That key was issued before." : "The key works now.";
      return { to: `${home}/${made.id}`, told, ...secretsOf(made.key) };
    },
    (problem) => blank(visit, problem),
  );

async function key(visit: Visit): Promise<Shown> {
  const found = await visit.api.get<Key>(apiPath(visit));
  return shown(
    "Key",
    html`<p class="lead">${pill(found.status)} ${bdi(found.name)}</p>
${mayWrite(visit) && found.status === "active" && html`<div class="bar"><a href="${pageOf(visit)}/rotate">Rotate it</a><a class="grave" href="${pageOf(visit)}/revoke">Revoke it</a></div>`}
${facts([
  ["Begins with", html`<code>${found.prefix}</code>`],
  ["Id", html`<code>${found.id}</code>`],
  ["Environment", found.environment],
  ["May do", html`${found.scopes.map((scope) => html`<code>${scope}</code> `)}`],
  ["Only from", found.allowed_cidrs.length === 0 ? "anywhere" : found.allowed_cidrs.join(", ")],
  ["Issued", time(found.created_at)],
  ["Last used", time(found.last_used_at)],
  ["Ends", time(found.expires_at)],
  ["In place of", otherKey(found.replaces)],
  ["Replaced by", otherKey(found.replaced_by)],
])}
${curl(visit, "GET", apiPath(visit))}`,
  );
}

const otherKey = (id: string | null): Html =>
  id === null ? bdi(id) : html`<a href="${home}/${id}"><code>${id}</code></a>`;

async function rotation(visit: Visit, problem?: Problem): Promise<Shown> {
  const { body, etag } = await visit.api.read<Key>(apiPath(visit));
  const { form } = visit;
  return shown(
    "Rotate the key",
    html`${problem !== undefined && refusal(problem)}<form class="sheet" method="post" action="${pageOf(visit)}/rotate">${once(visit, etag)}
<p>${bdi(body.name)} gets a successor that may do the same. Both work until the overlap ends, so that nothing stops while you put the new one in place.</p>
<div class="row">
${field({ name: "overlap_seconds", label: "Overlap", value: form.text("overlap_seconds") || "86400", options: overlaps })}
${field({ name: "expires_at", label: "Last day of the new one", value: form.text("expires_at"), type: "date", hint: "Left empty: as before." })}
</div>
<div class="actions"><button class="main" type="submit">Make the successor</button><a href="${pageOf(visit)}">Leave it as it is</a></div></form>
${curl(visit, "POST", `${apiPath(visit)}/rotate`, { overlap_seconds: 86_400 })}`,
    problem?.status,
  );
}

const rotate = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async (given) => {
      const { api, form } = visit;
      const ends = form.text("expires_at");
      const body = {
        overlap_seconds: Number(form.text("overlap_seconds")),
        ...(ends !== "" && { expires_at: endOf(ends) }),
      };
      const path = `${apiPath(visit)}/rotate`;
      const made = await api.send<Answers["RotatedKey"]>("POST", path, { body, ...given });
      return {
        to: `${home}/${made.id}`,
        told: "This is the successor. The one before works until its end.",
        ...secretsOf(made.key),
      };
    },
    (problem) => rotation(visit, problem),
  );

async function revocation(visit: Visit, problem?: Problem): Promise<Shown> {
  const { body, etag } = await visit.api.read<Key>(apiPath(visit));
  const used = body.last_used_at;
  return asked(visit, {
    title: "Revoke this key?",
    what: html`${bdi(body.name)} (<code>${body.prefix}</code>) is refused everywhere within a second, and cannot be given back. It was last used ${used === null ? "never" : time(used)}. To change it without a gap, <a href="${pageOf(visit)}/rotate">rotate it</a> instead.`,
    action: `${pageOf(visit)}/revoke`,
    label: "Revoke the key",
    call: ["DELETE", apiPath(visit)],
    back: pageOf(visit),
    etag,
    problem,
  });
}

const revoke = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async (given) => {
      await visit.api.send("DELETE", apiPath(visit), given);
      return { to: home, told: "The key is revoked." };
    },
    (problem) => revocation(visit, problem),
  );

export const keyPages: readonly Page[] = [
  list,
  { method: "GET", path: "/keys/new", section, answer: async (visit) => blank(visit) },
  { method: "POST", path: "/keys/new", section, answer: issue },
  { method: "GET", path: "/keys/:id", section, answer: key },
  { method: "GET", path: "/keys/:id/rotate", section, answer: (visit) => rotation(visit) },
  { method: "POST", path: "/keys/:id/rotate", section, answer: rotate },
  { method: "GET", path: "/keys/:id/revoke", section, answer: (visit) => revocation(visit) },
  { method: "POST", path: "/keys/:id/revoke", section, answer: revoke },
];
