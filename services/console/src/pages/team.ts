import { hasScope } from "@heliograph/api";
import { invitationMs, inWords } from "@heliograph/contracts";
import { html, type Html, type Form } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import type { Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import { acted, asked, button, checks, once, ticked } from "../view/forms.ts";
import { bdi, curl, curls, facts, field, pill, refusal, time } from "../view/parts.ts";
import { listPage } from "./lists.ts";

type Agent = Answers["Agent"];

const section = "/team";
const home = `${base}${section}`;
const roles = [
  ["agent", "agent: answers"],
  ["viewer", "viewer: looks"],
  ["admin", "admin: all but money and what only an owner gives"],
  ["owner", "owner: everything"],
] as const;
const mayWrite = ({ who }: Visit): boolean => hasScope(who.scopes, "agents:write");
const apiPath = ({ params }: Visit): string => `/agents/${encodeURIComponent(params["id"]!)}`;
const pageOf = ({ params }: Visit): string => `${home}/${encodeURIComponent(params["id"]!)}`;

const list = listPage<Agent>({
  path: section,
  title: "Team",
  from: "/agents",
  lead: html`Who signs in here and in the app. Groups that share conversations are <a href="${base}/teams">teams</a>; your own password and codes are under <a href="${base}/me">your account</a>.`,
  tools: (visit) =>
    mayWrite(visit) &&
    html`<p class="bar"><a class="go" href="${home}/new">Invite somebody</a></p>`,
  filters: [
    { name: "status", label: "Status", options: [["", "any"], "invited", "active", "disabled"] },
    { name: "role", label: "Role", options: [["", "any"], "owner", "admin", "agent", "viewer"] },
  ],
  columns: () => [
    { label: "Name", cell: ({ id, name }) => html`<a href="${home}/${id}">${bdi(name)}</a>` },
    { label: "E-mail", cell: ({ email }) => bdi(email) },
    { label: "Role", cell: ({ role }) => role },
    { label: "Status", cell: ({ status }) => pill(status) },
    { label: "Capacity", figures: true, cell: ({ capacity }) => capacity },
    { label: "Works in", cell: ({ environments }) => environments.join(", ") },
  ],
  none: [
    "Nobody here yet",
    html`<code>POST /agents</code> with a name, an address and a role sends an invitation.`,
  ],
});

type Typed = {
  readonly name: string;
  readonly role: string;
  readonly capacity: string;
  readonly environments: readonly string[];
};

const typedOf = (form: Form): Typed => ({
  name: form.text("name"),
  role: form.text("role"),
  capacity: form.text("capacity"),
  environments: ticked(form, "environments"),
});

type Given = { readonly environments: readonly string[]; readonly capacityHint: string };

const common = (typed: Typed, { environments, capacityHint }: Given): Html =>
  html`<div class="row">${field({ name: "role", label: "Role", value: typed.role, options: roles })}
${field({ name: "capacity", label: "Most open conversations", value: typed.capacity, type: "number", hint: capacityHint })}</div>
${checks(
  "Works in",
  "environments",
  environments.map((name) => [name, name === "live" ? "Live" : "Sandbox"] as const),
  (name) => typed.environments.includes(name),
)}`;

const bodyOf = ({ name, role, capacity, environments }: Typed) => ({
  name,
  role,
  ...(capacity !== "" && { capacity: Number(capacity) }),
  environments,
});

function blank(visit: Visit, problem?: Problem): Shown {
  const { form, environment } = visit;
  const email = form.text("email");
  const typed =
    problem === undefined
      ? { name: "", role: "agent", capacity: "", environments: [environment] }
      : typedOf(form);
  return shown(
    "Invite somebody",
    html`${problem !== undefined && refusal(problem)}<form class="sheet" method="post" action="${home}/new">${once(visit)}
<div class="row">${field({ name: "name", label: "Name", value: typed.name, required: true })}
${field({ name: "email", label: "E-mail address", value: email, type: "email", required: true, hint: "An invitation goes there, and is good for a week." })}</div>
${common(typed, { environments: visit.who.environments, capacityHint: "Left empty: ten. Routing gives no more than that." })}
<div class="actions"><button class="main" type="submit">Send the invitation</button><a href="${home}">Back to the team</a></div></form>
${curl(visit, "POST", "/agents", { name: "Ada", email: "ada@example.com", role: "agent" })}`,
    problem?.status,
  );
}

const invite = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      const { api, form } = visit;
      const body = { ...bodyOf(typedOf(form)), email: form.text("email") };
      await api.send<Agent>("POST", "/agents", { body, key });
      return { to: home, told: `An invitation goes to ${form.text("email")}.` };
    },
    (problem) => blank(visit, problem),
  );

async function agent(visit: Visit, problem?: Problem): Promise<Shown> {
  const { body: found, etag } = await visit.api.read<Agent>(apiPath(visit));
  const may = mayWrite(visit) && found.status !== "disabled";
  const typed =
    problem !== undefined && visit.form.has("name")
      ? typedOf(visit.form)
      : { ...found, capacity: String(found.capacity), environments: found.environments };
  return shown(
    "Somebody of the team",
    html`<p class="lead">${pill(found.status)} ${bdi(found.name)}</p>
${problem !== undefined && refusal(problem)}
${facts([
  ["E-mail", bdi(found.email)],
  ["Id", html`<code>${found.id}</code>`],
  ["Role", found.role],
  ["Works in", found.environments.join(", ")],
  ["Skills", bdi(found.skills.join(", "))],
  ["Languages", bdi(found.languages.join(", "))],
  ["Since", time(found.created_at)],
])}
${
  may &&
  found.status === "invited" &&
  html`<section aria-labelledby="invitation"><h2 id="invitation">Invitation</h2><p>It was sent to ${bdi(found.email)}, is good for ${inWords(invitationMs)}, and was not accepted yet.</p>
${button(visit, `${pageOf(visit)}/invitation`, "Send it again")}</section>`
}
${
  may &&
  html`<section aria-labelledby="change"><h2 id="change">Change</h2><form class="sheet" method="post" action="${pageOf(visit)}">${once(visit, etag)}
${field({ name: "name", label: "Name", value: typed.name, required: true })}
${common(typed, { environments: [...new Set([...visit.who.environments, ...found.environments])], capacityHint: "Left empty, it stays as it is. Routing gives no more than that." })}
<div class="actions"><button class="main" type="submit">Keep this</button><a href="${pageOf(visit)}/disable">Shut out</a></div></form></section>`
}
${curls(visit, [
  ["Keep this", "PATCH", apiPath(visit), { capacity: 10 }],
  ...(found.status === "invited"
    ? ([["Send it again", "POST", `${apiPath(visit)}/invitation`]] as const)
    : []),
])}`,
    problem?.status,
  );
}

const change = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async (given) => {
      const body = bodyOf(typedOf(visit.form));
      await visit.api.send("PATCH", apiPath(visit), { body, ...given });
      return { to: pageOf(visit), told: "Changed." };
    },
    (problem) => agent(visit, problem),
  );

const inviteAgain = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      const { email } = await visit.api.send<Agent>("POST", `${apiPath(visit)}/invitation`, {
        key,
      });
      return {
        to: pageOf(visit),
        told: `Another invitation goes to ${email}. The links of those before it work no more.`,
      };
    },
    (problem) => agent(visit, problem),
  );

async function shutting(visit: Visit, problem?: Problem): Promise<Shown> {
  const { body, etag } = await visit.api.read<Agent>(apiPath(visit));
  return asked(visit, {
    title: "Shut this person out?",
    what: html`${bdi(body.name)} (${bdi(body.email)}) is signed out everywhere at once and cannot sign in again. Conversations that were assigned to them go back to be given to others. What they did stays in the audit.`,
    action: `${pageOf(visit)}/disable`,
    label: "Shut out",
    call: ["POST", `${apiPath(visit)}/disable`, {}],
    back: pageOf(visit),
    etag,
    problem,
  });
}

const disable = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async (given) => {
      await visit.api.send("POST", `${apiPath(visit)}/disable`, { body: {}, ...given });
      return { to: pageOf(visit), told: "Shut out, and signed out everywhere." };
    },
    (problem) => shutting(visit, problem),
  );

export const teamPages: readonly Page[] = [
  list,
  { method: "GET", path: "/team/new", section, answer: async (visit) => blank(visit) },
  { method: "POST", path: "/team/new", section, answer: invite },
  { method: "GET", path: "/team/:id", section, answer: (visit) => agent(visit) },
  { method: "POST", path: "/team/:id", section, answer: change },
  { method: "POST", path: "/team/:id/invitation", section, answer: inviteAgain },
  { method: "GET", path: "/team/:id/disable", section, answer: (visit) => shutting(visit) },
  { method: "POST", path: "/team/:id/disable", section, answer: disable },
];
