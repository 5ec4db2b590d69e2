import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import type { Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import { tried, typed } from "../view/acts.ts";
import { button, keyOf, moment, once } from "../view/forms.ts";
import {
  bdi,
  curl,
  curls,
  empty,
  facts,
  field,
  money,
  pill,
  refusal,
  table,
  time,
} from "../view/parts.ts";
import { progress } from "../view/progress.ts";
import { listPage } from "./lists.ts";
import { entriesIn, pricesHead } from "./price-lines.ts";
import { gatewaysOf, ruleFields, rulePath, rulesIn, type Names } from "./routing-rules.ts";

type Summary = Answers["BacktestSummary"];
type Backtest = Answers["Backtest"];
type Result = NonNullable<Backtest["result"]>;
type Sum = Result["totals"][number];
type Example = Result["examples"][number];

const section = "/backtests";
const home = `${base}${section}`;
/** Far more than anybody reads; the call that the page shows has all. */
const mostShown = 50;

const windowOf = ({ from, to }: Summary): Html => html`${time(from)} to ${time(to)}`;
const triedOf = ({ rules, prices }: Summary): string =>
  [
    rules === null ? "" : `${rules} ${rules === 1 ? "rule" : "rules"}`,
    prices === null ? "" : `${prices} ${prices === 1 ? "price" : "prices"}`,
  ]
    .filter((part) => part !== "")
    .join(" and ");

const list = listPage<Summary>({
  path: section,
  title: "Backtests",
  from: "/backtests",
  lead: html`Routing rules or prices, tried on what was sent: what would have gone where, and at what cost. Nothing is sent, and nothing changes.`,
  tools: () => html`<p class="bar"><a class="go" href="${home}/new">Try rules or prices</a></p>`,
  columns: () => [
    { label: "Window", cell: (row) => html`<a href="${home}/${row.id}">${windowOf(row)}</a>` },
    { label: "Status", cell: ({ status }) => pill(status) },
    { label: "Tries", cell: triedOf },
    { label: "Of", cell: ({ partner }) => (partner === null ? "all partners" : bdi(partner)) },
    { label: "Asked for", cell: ({ created_at }) => time(created_at) },
  ],
  none: ["Nothing was tried yet", "Ask what last week would have cost with other rules."],
});

const dayMs = 86_400_000;
/** As a field of that kind has it, in UTC. */
const minuteOf = (ms: number): string => new Date(ms).toISOString().slice(0, 16);

/** What the form asks for. Rules without a gateway are none, and no line of prices is no prices. */
function bodyOf(visit: Visit, names: Names): Record<string, unknown> {
  const { form, environment } = visit;
  const rules = rulesIn(visit, names);
  const entries = entriesIn(form.exact("entries"));
  const [partner, priced] = [form.text("partner"), form.text("list")];
  return {
    environment,
    from: moment(form.text("from")),
    to: moment(form.text("to")),
    ...(partner !== "" && { partner }),
    ...(rules.length > 0 && { routing: { rules } }),
    ...(entries.length > 0 && { prices: { ...(priced !== "" && { list: priced }), entries } }),
  };
}

async function ask(visit: Visit, problem?: Problem): Promise<Shown> {
  const [inForce, known] = await Promise.all([
    visit.api.get<Answers["Routing"]>(rulePath(visit)),
    gatewaysOf(visit),
  ]);
  const rules = problem === undefined ? inForce.rules : rulesIn(visit, known.names);
  const now = Date.now();
  return shown(
    "Try rules or prices on the past",
    html`${problem !== undefined && refusal(problem)}<p>What was accepted in the window is judged by the rules or the prices below, beside what became of it. Nothing is sent, and nothing changes.</p>
<form class="sheet" method="post" action="${home}/new">${once(visit)}<div class="row">
${field({ name: "from", label: "From, UTC", value: typed(visit, "from", minuteOf(now - 7 * dayMs)), type: "datetime-local", required: true })}
${field({ name: "to", label: "To, UTC", value: typed(visit, "to", minuteOf(now)), type: "datetime-local", required: true, hint: "31 days later at most." })}
${field({ name: "partner", label: "Of one partner", value: typed(visit, "partner"), placeholder: "ptn_…", hint: "Left empty: of all." })}</div>
<h2>Rules</h2><p class="hint">As they are in force. With no gateway left in any of them, no rules are tried.</p>
${[...rules, undefined].map((rule, index) => ruleFields(index, rule, known))}
<h2>Prices</h2><div class="row">
${field({ name: "list", label: "Of what one list priced", value: typed(visit, "list"), placeholder: "standard", hint: "Left empty: of all." })}</div>
${field({ name: "entries", label: "Entries", value: typed(visit, "entries"), rows: 6, hint: html`One a line: <code>${pricesHead}</code>. Left empty: no prices are tried.` })}
<div class="actions"><button class="main" type="submit">Try them</button><a href="${home}">Back to the backtests</a></div></form>
${curl(visit, "POST", "/backtests", { environment: visit.environment, from: "2026-05-01T00:00:00Z", to: "2026-05-08T00:00:00Z", routing: { rules: inForce.rules } })}`,
    problem?.status,
  );
}

const begin = (visit: Visit): Promise<Shown | Led> =>
  tried(
    visit,
    async ({ key }) => {
      const body = bodyOf(visit, (await gatewaysOf(visit)).names);
      const made = await visit.api.send<Summary>("POST", "/backtests", { body, key });
      return { to: `${home}/${made.id}` };
    },
    (problem) => ask(visit, problem),
  );

const difference = (amount: string, currency: string): Html =>
  money(amount.replace(/^(?=[1-9]|0\.)/, "+"), currency);

const sums = (title: string, first: string, rows: readonly Sum[]): Html | false =>
  rows.length > 0 &&
  table<Sum>(
    title,
    [
      {
        label: first,
        cell: ({ name }) => (name === null ? html`<span class="none">none</span>` : bdi(name)),
      },
      { label: "Messages", figures: true, cell: ({ before }) => before.messages },
      { label: "Then", figures: true, cell: ({ after }) => after.messages },
      {
        label: "Cost",
        figures: true,
        cell: ({ before, currency }) => money(before.cost, currency),
      },
      {
        label: "Changes by",
        figures: true,
        cell: (row) => difference(row.cost_difference, row.currency),
      },
      {
        label: "Charge",
        figures: true,
        cell: ({ before, currency }) => money(before.charge, currency),
      },
      {
        label: "Changes by",
        figures: true,
        cell: (row) => difference(row.charge_difference, row.currency),
      },
    ],
    rows.slice(0, mostShown),
  );

const examples = (found: readonly Example[]): Html | false =>
  found.length > 0 &&
  table<Example>(
    "Messages for which something differs, the first of them",
    [
      { label: "Message", cell: ({ message_id: id }) => html`<code>${id}</code>` },
      { label: "Gateway", cell: ({ before }) => bdi(before.gateway) },
      { label: "Then", cell: ({ after }) => bdi(after.gateway) },
      {
        label: "Charge",
        figures: true,
        cell: ({ before, currency }) => money(before.charge, currency),
      },
      {
        label: "Then",
        figures: true,
        cell: ({ after, currency }) => money(after.charge, currency),
      },
      { label: "Why", cell: ({ decision }) => bdi(decision?.reason) },
    ],
    found.slice(0, mostShown),
  );

/** Why a message says nothing, as the platform names it. */
const notJudged = (reasons: Result["not_judged"]): string =>
  Object.entries(reasons)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => `${count} ${reason.replaceAll("_", " ")}`)
    .join(", ") || "none";

const resultOf = (result: Result): Html =>
  html`${facts([
    ["Judged", result.judged],
    ["Not judged", notJudged(result.not_judged)],
    ["To another gateway", result.gateway_changed],
    ["Of these by chance of a draw", result.gateway_drawn],
    ["At another price", result.repriced],
    ["No gateway left for", result.not_carried],
    ["Cost not known of", result.cost_unknown],
  ])}
${
  result.judged === 0
    ? empty("Nothing was judged", "In this window nobody took anything that says something.")
    : html`${sums(
        "In all",
        "Currency",
        result.totals.map((row) => ({ ...row, name: row.currency })),
      )}
${sums("By gateway", "Gateway", result.by_gateway)}
${sums("By channel", "Channel", result.by_channel)}
${sums("By country", "Country", result.by_country)}
${examples(result.examples)}`
}`;

async function one(visit: Visit): Promise<Shown> {
  const path = `/backtests/${encodeURIComponent(visit.params["id"]!)}`;
  const here = `${base}${path}`;
  const found = await visit.api.get<Backtest>(path);
  const going = found.finished_at === null;
  const percent = Math.floor(found.progress * 100);
  return shown(
    "Backtest",
    html`${progress({
      going,
      here,
      body: html`<p class="lead">${pill(found.status)} ${windowOf(found)}, ${triedOf(found)}, ${found.partner === null ? "of all partners" : bdi(found.partner)}</p>
${found.error !== null && html`<div class="refusal" role="alert"><h2>It failed</h2><p>${bdi(found.error)}</p></div>`}
${found.complete === false && html`<div class="notice"><p>The window has more than a backtest reads: it ended before the window did.</p></div>`}
<p><label for="progress">Read</label> <progress id="progress" max="100" value="${percent}">${percent} %</progress> ${percent} %</p>
${going && html`<div class="bar">${button(visit, `${here}/cancel`, "Cancel")}</div>`}
${found.result !== null && resultOf(found.result)}`,
    })}
<p><a href="${home}">All backtests</a></p>
${curls(visit, [
  ["This page", "GET", path],
  ["Cancel", "POST", `${path}/cancel`],
])}`,
  );
}

async function cancel(visit: Visit): Promise<Led> {
  const path = `/backtests/${encodeURIComponent(visit.params["id"]!)}`;
  await visit.api.send("POST", `${path}/cancel`, { key: keyOf(visit.form) });
  return { to: `${base}${path}`, told: "It is canceled. What it came to so far stays." };
}

export const backtestPages: readonly Page[] = [
  list,
  { method: "GET", path: `${section}/new`, section, answer: (visit) => ask(visit) },
  { method: "POST", path: `${section}/new`, section, answer: begin },
  { method: "GET", path: `${section}/:id`, section, live: true, answer: one },
  { method: "POST", path: `${section}/:id/cancel`, section, answer: cancel },
];
