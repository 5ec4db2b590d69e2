import { hasScope } from "@heliograph/api";
import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { allOf, mostChoices, notAll } from "../all-of.ts";
import { Refused, type Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import { acted, once, words } from "../view/forms.ts";
import { bdi, curl, empty, field, refusal, table } from "../view/parts.ts";
import { channels } from "./messages.ts";

type Routing = Answers["Routing"];
type Rule = Routing["rules"][number];
type Explained = Answers["ExplainedRoute"];
/** What things are called, by their ids. */
type Names = ReadonlyMap<string, string>;
/** `more`: there are others, of which ids are shown, and taken. */
type Known = { readonly names: Names; readonly more: boolean };

const section = "/routing";
const home = `${base}${section}`;
const categories = ["transactional", "marketing", "authentication"];
const policies = [
  ["priority", "the first that is healthy"],
  ["weighted", "drawn by weight"],
  ["least_cost", "the cheapest"],
] as const;
const isOperator = ({ who }: Visit): boolean => hasScope(who.scopes, "admin");

const asks = ({ query }: Visit): Record<string, string> =>
  Object.fromEntries(
    ["channel", "to", "from", "category"]
      .map((name) => [name, query.text(name)] as const)
      .filter(([, value]) => value !== ""),
  );

const explained = ({ gateway, reason, considered }: Explained): Html =>
  html`<section aria-labelledby="answer"><h2 id="answer">${gateway === null ? "None would take it" : html`${bdi(gateway)} would take it`}</h2><p>${bdi(reason)}</p>
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
${field({ name: "category", label: "Category", value: query.text("category"), options: categories })}</div>
<div class="actions"><button class="main" type="submit">Explain</button></div></form>
${found !== undefined && explained(found)}
${isOperator(visit) && (await rulesOf(visit))}
${curl(visit, "POST", "/routing/explain", example)}`,
    problem?.status,
  );
}

/** So many are named in the hint of a field. */
const mostNamed = 20;

async function knownOf<Row extends { readonly id: string; readonly name: string }>(
  { api }: Visit,
  path: string,
  query: Readonly<Record<string, string>> = {},
): Promise<Known> {
  const { data, more } = await allOf<Row>(api, path, query);
  return { names: new Map(data.map(({ id, name }) => [id, name])), more };
}

const gatewaysOf = (visit: Visit): Promise<Known> =>
  knownOf<Answers["AdminGateway"]>(visit, "/admin/gateways", { environment: visit.environment });
const partnersOf = (visit: Visit): Promise<Known> =>
  knownOf<Answers["Partner"]>(visit, "/admin/partners");

const rulePath = ({ environment }: Visit): string => `/admin/routing?environment=${environment}`;

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
<p class="bar"><a class="go" href="${home}/rules">Change the rules</a></p></section>`;
}

const matchNames = ["channel", "country_prefix", "category", "sender", "partner"] as const;

const namesIn = ({ names, more }: Known): string => {
  const shownNames = [...names.values()].slice(0, mostNamed).join(", ");
  if (more) return `There is ${shownNames} … ${notAll} Of the others the ids are taken.`;
  return `There is ${shownNames}${names.size > mostNamed ? `, and ${names.size - mostNamed} more` : ""}.`;
};

const ruleFields = (index: number, rule: Rule | undefined, known: Known): Html => {
  const { names } = known;
  const name = (part: string): string => `rules[${index}.${part}]`;
  const match: Readonly<Record<string, string | undefined>> = rule?.match ?? {};
  const any = (list: readonly string[]) => [["", "any"] as const, ...list];
  const of = (rule?.gateways ?? []).map((id) => names.get(id) ?? id).join(", ");
  return html`<fieldset><legend>${rule === undefined ? "One more rule" : `Rule ${index + 1}`}</legend><div class="row">
${field({ name: name("gateways"), label: "Gateways", value: of, hint: rule === undefined ? `In their order. ${namesIn(known)}` : "In their order. Left empty: the rule is taken away." })}
${field({ name: name("policy"), label: "Take", value: rule?.policy ?? "priority", options: policies })}
${field({ name: name("failover"), label: "Another when it fails", value: rule?.failover === false ? "no" : "yes", options: ["yes", "no"] })}</div><div class="row">
${field({ name: name("channel"), label: "Channel", value: match["channel"] ?? "", options: any(channels) })}
${field({ name: name("country_prefix"), label: "Number begins with", value: match["country_prefix"] ?? "", placeholder: "+48" })}
${field({ name: name("category"), label: "Category", value: match["category"] ?? "", options: any(categories) })}
${field({ name: name("sender"), label: "From", value: match["sender"] ?? "" })}
${field({ name: name("partner"), label: "Partner", value: match["partner"] ?? "", placeholder: "ptn_…" })}</div></fieldset>`;
};

/** The rules that a form spells out, in its order; those without a gateway are gone. */
function rulesIn({ form }: Visit, names: Names): readonly Rule[] {
  const ids = new Map([...names].map(([id, name]) => [name, id]));
  const fields = form.map("rules");
  const indexes = [...new Set(Object.keys(fields).map((name) => Number(name.split(".")[0])))];
  return indexes
    .toSorted((one, other) => one - other)
    .map((index) => {
      const given = (part: string): string => fields[`${index}.${part}`]?.trim() ?? "";
      return {
        match: Object.fromEntries(
          matchNames.map((part) => [part, given(part)]).filter(([, value]) => value !== ""),
        ),
        policy: given("policy"),
        gateways: words(given("gateways")).map((name) => ids.get(name) ?? name),
        failover: given("failover") !== "no",
      };
    })
    .filter(({ gateways }) => gateways.length > 0);
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
