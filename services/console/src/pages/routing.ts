import { hasScope } from "@heliograph/api";
import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { mostChoices } from "../all-of.ts";
import { Refused, type Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import { acted, once } from "../view/forms.ts";
import { bdi, curl, empty, field, refusal, table } from "../view/parts.ts";
import { channels } from "./messages.ts";
import {
  categories,
  gatewaysOf,
  partnersOf,
  policies,
  ruleFields,
  rulePath,
  rulesIn,
  type Names,
  type Rule,
} from "./routing-rules.ts";
import { toSenderRules } from "./sender-rules.ts";

type Routing = Answers["Routing"];
type Explained = Answers["ExplainedRoute"];

const section = "/routing";
const home = `${base}${section}`;
const isOperator = ({ who }: Visit): boolean => hasScope(who.scopes, "admin");

const asks = ({ query }: Visit): Record<string, string> =>
  Object.fromEntries(
    ["channel", "to", "from", "sender_pool", "category"]
      .map((name) => [name, query.text(name)] as const)
      .filter(([, value]) => value !== ""),
  );

const explained = ({ gateway, reason, considered, from, sender_pool: pool }: Explained): Html =>
  html`<section aria-labelledby="answer"><h2 id="answer">${gateway === null ? "None would take it" : html`${bdi(gateway)} would take it`}</h2><p>${bdi(reason)}</p>
${pool !== undefined && html`<p>From ${bdi(from)}, of the pool ${bdi(pool.name)}: ${bdi(pool.reason)}.</p>`}
${
  considered.length === 0
    ? empty("No gateway was considered", "None of this environment carries the channel.")
    : table(
        "What was considered",
        [
          { label: "Gateway", cell: ({ gateway: name }) => bdi(name) },
          { label: "Verdict", cell: ({ verdict }) => bdi(verdict) },
        ],
        considered,
      )
}</section>`;

async function explain(visit: Visit): Promise<Shown> {
  const { api, query } = visit;
  const body = asks(visit);
  let problem: Problem | undefined;
  let found: Explained | undefined;
  if (query.text("to") !== "")
    try {
      found = await api.send<Explained>("POST", "/routing/explain", { body });
    } catch (error) {
      if (!(error instanceof Refused) || error.problem.status !== 422) throw error;
      problem = error.problem;
    }
  const example = body["to"] === undefined ? { channel: "sms", to: "+15551230001" } : body;
  return shown(
    "Routing",
    html`<p>Which gateway a message would take now, and why. Nothing is sent.</p>${problem !== undefined && refusal(problem)}
<form class="sheet" method="get" action="${home}"><div class="row">
${field({ name: "channel", label: "Channel", value: query.text("channel") || "sms", options: channels })}
${field({ name: "to", label: "To", value: query.text("to"), required: true, placeholder: "+15551230001" })}</div>
<div class="row">${field({ name: "from", label: "From", value: query.text("from") })}
${field({ name: "sender_pool", label: "Pool of senders", value: query.text("sender_pool"), hint: html`<a href="${home}/pools">Pools</a>` })}
${field({ name: "category", label: "Category", value: query.text("category"), options: categories })}</div>
<div class="actions"><button class="main" type="submit">Explain</button></div></form>
${found !== undefined && explained(found)}
${isOperator(visit) && (await rulesOf(visit))}
${curl(visit, "POST", "/routing/explain", example)}`,
    problem?.status,
  );
}

const matchOf = ({ match }: Rule, partners: Names): Html => {
  const parts = Object.entries(match).map(([name, value]) =>
    name === "partner"
      ? html`partner <a href="${base}/partners/${value}">${bdi(partners.get(value) ?? value)}</a>`
      : html`${name.replace("_", " ")} ${bdi(value)}`,
  );
  return parts.length === 0
    ? html`anything`
    : html`${parts.map((part, at) => html`${at > 0 && ", "}${part}`)}`;
};

async function rulesOf(visit: Visit): Promise<Html> {
  const [{ rules }, { names, more }] = await Promise.all([
    visit.api.get<Routing>(rulePath(visit)),
    gatewaysOf(visit),
  ]);
  const ofPartners = rules.some(({ match }) => match.partner !== undefined);
  const partners = ofPartners ? await partnersOf(visit) : { names: new Map(), more: false };
  return html`<section aria-labelledby="rules"><h2 id="rules">Rules</h2>
${
  rules.length === 0
    ? empty("No rule", "Messages take the gateways of their channel by weight.")
    : table(
        "Rules: the first that fits counts",
        [
          { label: "Messages", cell: (rule: Rule) => matchOf(rule, partners.names) },
          {
            label: "Take",
            cell: ({ policy }: Rule) => policies.find(([name]) => name === policy)?.[1] ?? policy,
          },
          {
            label: "Of",
            cell: ({ gateways }: Rule) => bdi(gateways.map((id) => names.get(id) ?? id).join(", ")),
          },
          {
            label: "Another when it fails",
            cell: ({ failover }: Rule) => (failover ? "yes" : "no"),
          },
        ],
        rules,
      )
}
${(more || partners.more) && html`<p class="hint">Of the first ${mostChoices.toLocaleString("en")} gateways and partners the names are shown, of others the ids.</p>`}
<p class="bar"><a class="go" href="${home}/rules">Change the rules</a><a href="${base}/backtests/new">Try others on the past</a>${toSenderRules(visit)}</p></section>`;
}

async function edit(visit: Visit, problem?: Problem): Promise<Shown> {
  const [{ body, etag }, known] = await Promise.all([
    visit.api.read<Routing>(rulePath(visit)),
    gatewaysOf(visit),
  ]);
  const rules = problem === undefined ? body.rules : rulesIn(visit, known.names);
  return shown(
    "Change the rules",
    html`${problem !== undefined && refusal(problem)}<p>The first rule that fits a message counts. They are in force everywhere within a second.</p>
<form class="sheet" method="post" action="${home}/rules">${once(visit, etag)}
${[...rules, undefined].map((rule, index) => ruleFields(index, rule, known))}
<div class="actions"><button class="main" type="submit">Keep these</button><a href="${home}">Leave them as they are</a></div></form>
${curl(visit, "PUT", "/admin/routing", { environment: body.environment, rules })}`,
    problem?.status,
  );
}

const change = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async (given) => {
      const { api, environment } = visit;
      const rules = rulesIn(visit, (await gatewaysOf(visit)).names);
      await api.send("PUT", "/admin/routing", { body: { environment, rules }, ...given });
      return { to: home, told: "The rules are in force." };
    },
    (problem) => edit(visit, problem),
  );

export const routingPages: readonly Page[] = [
  { method: "GET", path: "/routing", section, answer: explain },
  { method: "GET", path: "/routing/rules", section, answer: (visit) => edit(visit) },
  { method: "POST", path: "/routing/rules", section, answer: change },
];
