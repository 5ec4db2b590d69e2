import { hasScope } from "@heliograph/api";
import { html, type Html, type Form } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { allOf, notAll } from "../all-of.ts";
import type { Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import { acted, asked, checks, once, ticked } from "../view/forms.ts";
import { bdi, curl, empty, field, refusal, table } from "../view/parts.ts";

type Team = Answers["Team"];
type Agent = Answers["Agent"];

const section = "/team";
const home = `${base}/teams`;
const routings = [
  ["least_busy", "who has least to do"],
  ["round_robin", "in turn"],
  ["manual", "nobody by itself"],
] as const;
const mayWrite = ({ who }: Visit): boolean => hasScope(who.scopes, "agents:write");
const apiPath = ({ params }: Visit): string => `/teams/${encodeURIComponent(params["id"]!)}`;
const pageOf = ({ params }: Visit): string => `${home}/${encodeURIComponent(params["id"]!)}`;
const routed = (routing: string): string =>
  routings.find(([name]) => name === routing)?.[1] ?? routing;

async function list(visit: Visit): Promise<Shown> {
  const { data, more } = await allOf<Team>(visit.api, "/teams");
  return shown(
    "Teams",
    html`<p>Those who share conversations. A conversation of a team is given to one of them, by its rule.</p>
<div class="bar">${mayWrite(visit) && html`<a class="go" href="${home}/new">Make a team</a>`}<a href="${base}${section}">Everybody</a></div>
${
  data.length === 0
    ? empty(
        "No team yet",
        html`Until there is one, a conversation is everybody's. <code>POST /teams</code> makes one too.`,
      )
    : table(
        "Teams",
        [
          {
            label: "Name",
            cell: ({ id, name }: Team) => html`<a href="${home}/${id}">${bdi(name)}</a>`,
          },
          { label: "People", figures: true, cell: ({ agent_ids }: Team) => agent_ids.length },
          { label: "Given to", cell: ({ routing }: Team) => routed(routing) },
          {
            label: "Works",
            cell: ({ working_hours: hours }: Team) => (hours === null ? "always" : hours.zone),
          },
        ],
        data,
      )
}
${more && html`<p class="hint">${notAll}</p>`}
${curl(visit, "GET", "/teams")}`,
  );
}

type Typed = {
  readonly name: string;
  readonly routing: string;
  readonly agent_ids: readonly string[];
};

const typedOf = (form: Form): Typed => ({
  name: form.text("name"),
  routing: form.text("routing"),
  agent_ids: ticked(form, "agents"),
});

async function settingFields({ api }: Visit, typed: Typed): Promise<Html> {
  const { data, more } = await allOf<Agent>(api, "/agents");
  const people = data.filter(
    ({ id, status }) => status !== "disabled" || typed.agent_ids.includes(id),
  );
  return html`<div class="row">${field({ name: "name", label: "Name", value: typed.name, required: true })}
${field({ name: "routing", label: "A conversation is given to", value: typed.routing, options: routings })}</div>
${checks(
  "People",
  "agents",
  [
    ...people.map(({ id, name }) => [id, bdi(name)] as const),
    // Of a large company not everybody is listed here: who is not stays all the same.
    ...typed.agent_ids
      .filter((member) => !data.some(({ id }) => id === member))
      .map((id) => [id, html`<code>${id}</code>`] as const),
  ],
  (id) => typed.agent_ids.includes(id),
  more && notAll,
)}`;
}

async function blank(visit: Visit, problem?: Problem): Promise<Shown> {
  const typed =
    problem === undefined
      ? { name: "", routing: "least_busy", agent_ids: [] }
      : typedOf(visit.form);
  return shown(
    "Make a team",
    html`${problem !== undefined && refusal(problem)}<form class="sheet" method="post" action="${home}/new">${once(visit)}
${await settingFields(visit, typed)}
<div class="actions"><button class="main" type="submit">Make it</button><a href="${home}">Back to the teams</a></div></form>
${curl(visit, "POST", "/teams", { name: "Support", agent_ids: [], routing: "least_busy" })}`,
    problem?.status,
  );
}

const create = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      await visit.api.send<Team>("POST", "/teams", { body: typedOf(visit.form), key });
      return { to: home, told: "The team is made." };
    },
    (problem) => blank(visit, problem),
  );

async function team(visit: Visit, problem?: Problem): Promise<Shown> {
  const { body: found, etag } = await visit.api.read<Team>(apiPath(visit));
  const typed = problem === undefined ? found : typedOf(visit.form);
  return shown(
    "Team",
    html`<p class="lead">${bdi(found.name)}</p>${problem !== undefined && refusal(problem)}
${
  mayWrite(visit)
    ? html`<form class="sheet" method="post" action="${pageOf(visit)}">${once(visit, etag)}
${await settingFields(visit, typed)}
<div class="actions"><button class="main" type="submit">Keep this</button><a href="${pageOf(visit)}/delete">Dissolve</a></div></form>`
    : html`<p>${found.agent_ids.length} people; conversations are given to ${routed(found.routing)}.</p>`
}
<p><a href="${home}">Back to the teams</a></p>
${curl(visit, "PATCH", apiPath(visit), { routing: "round_robin" })}`,
    problem?.status,
  );
}

const change = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async (given) => {
      await visit.api.send("PATCH", apiPath(visit), { body: typedOf(visit.form), ...given });
      return { to: pageOf(visit), told: "Changed." };
    },
    (problem) => team(visit, problem),
  );

async function removal(visit: Visit, problem?: Problem): Promise<Shown> {
  const { body, etag } = await visit.api.read<Team>(apiPath(visit));
  return asked(visit, {
    title: "Dissolve this team?",
    what: html`${bdi(body.name)} is no more, and what was its to answer is given to nobody by it. Its people stay.`,
    action: `${pageOf(visit)}/delete`,
    label: "Dissolve the team",
    call: ["DELETE", apiPath(visit)],
    back: pageOf(visit),
    etag,
    problem,
  });
}

const remove = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async (given) => {
      await visit.api.send("DELETE", apiPath(visit), given);
      return { to: home, told: "The team is dissolved." };
    },
    (problem) => removal(visit, problem),
  );

export const teamsPages: readonly Page[] = [
  { method: "GET", path: "/teams", section, answer: list },
  { method: "GET", path: "/teams/new", section, answer: (visit) => blank(visit) },
  { method: "POST", path: "/teams/new", section, answer: create },
  { method: "GET", path: "/teams/:id", section, answer: (visit) => team(visit) },
  { method: "POST", path: "/teams/:id", section, answer: change },
  { method: "GET", path: "/teams/:id/delete", section, answer: (visit) => removal(visit) },
  { method: "POST", path: "/teams/:id/delete", section, answer: remove },
];
