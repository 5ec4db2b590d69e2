import { hasScope } from "@heliograph/api";
import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { allOf, notAll } from "../all-of.ts";
import { Refused, type Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import { acted, asked, button, once } from "../view/forms.ts";
import {
  bdi,
  curl,
  curls,
  empty,
  facts,
  field,
  pill,
  refusal,
  table,
  type Column,
  time,
} from "../view/parts.ts";

type Gateway = Answers["Gateway"];
type Config = Answers["AdminGateway"];

const section = "/gateways";
const home = `${base}${section}`;
const isOperator = ({ who }: Visit): boolean => hasScope(who.scopes, "admin");
const apiPath = ({ params }: Visit): string =>
  `/admin/gateways/${encodeURIComponent(params["id"]!)}`;
const pageOf = ({ params }: Visit): string => `${home}/${encodeURIComponent(params["id"]!)}`;

const breakers: Readonly<Record<string, Html>> = {
  closed: html`<span class="pill good">closed</span>`,
  half_open: html`<span class="pill going">trying again</span>`,
  open: html`<span class="pill bad">open</span>`,
};
const ms = (value: number | null): string => (value === null ? "–" : `${Math.round(value)} ms`);

const health: readonly Column<Gateway>[] = [
  { label: "Channel", cell: ({ channel }) => channel },
  { label: "Kind", cell: ({ kind }) => kind },
  { label: "Status", cell: ({ status }) => pill(status) },
  {
    label: "Breaker",
    cell: ({ breaker, throttled_until: until }) =>
      html`${breakers[breaker] ?? pill(breaker)}${until && html` <span class="pill going">throttled until ${time(until)}</span>`}`,
  },
  {
    label: "Success",
    figures: true,
    cell: ({ success_rate: rate }) => (rate === null ? "–" : `${(rate * 100).toFixed(1)} %`),
  },
  {
    label: "Latency, half / 95 %",
    figures: true,
    cell: ({ latency_ms: { p50, p95 } }) => `${ms(p50)} / ${ms(p95)}`,
  },
  {
    label: "Most a second",
    figures: true,
    cell: ({ max_per_second: most }) => most ?? "no limit",
  },
];

async function list(visit: Visit): Promise<Shown> {
  const { api, environment } = visit;
  const operator = isOperator(visit);
  const [{ data, more }, configs] = await Promise.all([
    allOf<Gateway>(api, "/gateways"),
    operator
      ? allOf<Config>(api, "/admin/gateways", { environment })
      : Promise.resolve({ data: [] }),
  ]);
  const config = new Map(configs.data.map((one) => [one.id, one]));
  const name: Column<Gateway> = {
    label: "Name",
    cell: ({ id, name: called }) =>
      operator ? html`<a href="${home}/${id}">${bdi(called)}</a>` : bdi(called),
  };
  const extra: readonly Column<Gateway>[] = [
    { label: "Weight", figures: true, cell: ({ id }) => config.get(id)?.weight },
    { label: "Cost of a segment", figures: true, cell: ({ id }) => config.get(id)?.cost ?? "–" },
  ];
  return shown(
    "Gateways",
    html`<p>The ways out to providers, and how they do. A breaker opens where too many calls fail or have become slow: messages take another way, or wait, until it lets some through again.</p>
${data.length === 0 ? empty("No gateway", "Nothing can be sent here until an operator adds one.") : table("Gateways", [name, ...health, ...(operator ? extra : [])], data)}
${more && html`<p class="hint">${notAll}</p>`}
<p><a href="${base}/routing">Which of them would take a message?</a></p>
${curl(visit, "GET", "/gateways")}`,
  );
}

/** The gateway that another one's setting names, as a link: what it is called, or its id where it is gone. */
async function throughOf({ api }: Visit, { settings }: Config): Promise<Html | undefined> {
  const { via } = settings;
  if (typeof via !== "string") return undefined;
  const path = encodeURIComponent(via);
  const name = await api.read<Config>(`/admin/gateways/${path}`).then(
    ({ body }) => `${body.name}${body.enabled ? "" : " (disabled)"}`,
    (error: unknown) => {
      if (error instanceof Refused && error.problem.status === 404) return `${via} (gone)`;
      throw error;
    },
  );
  return html`<a href="${home}/${path}">${bdi(name)}</a>`;
}

async function gateway(visit: Visit, problem?: Problem): Promise<Shown> {
  const { body: found, etag } = await visit.api.read<Config>(apiPath(visit));
  const { form } = visit;
  const through = await throughOf(visit, found);
  const typed = (name: string, value: string | number | null): string =>
    problem === undefined ? String(value ?? "") : form.text(name);
  return shown(
    "Gateway",
    html`<p class="lead">${pill(found.enabled ? "enabled" : "disabled")} ${bdi(found.name)}</p>
${problem !== undefined && refusal(problem)}
<div class="bar">${button(visit, `${pageOf(visit)}/test`, "Reach its provider")}${
      found.enabled
        ? html`<a href="${pageOf(visit)}/disable">Disable</a>`
        : button(visit, `${pageOf(visit)}/enable`, "Enable", { etag })
    }<a href="${home}">All gateways</a></div>
${facts([
  ["Id", html`<code>${found.id}</code>`],
  ["Carries", `${found.channel} by ${found.kind}`],
  ...(through === undefined ? [] : [["Goes through", through] as const]),
  ["Countries", found.countries === null ? "everywhere" : found.countries.join(", ")],
  ["Secrets it has", found.secrets.join(", ") || "none"],
  ["When an outcome is not known", found.uncertain.replace("_", " ")],
])}
<section aria-labelledby="change"><h2 id="change">Change</h2>
<form class="sheet" method="post" action="${pageOf(visit)}">${once(visit, etag)}<div class="row">
${field({ name: "weight", label: "Weight", value: typed("weight", found.weight), type: "number", required: true, hint: "Its share among those of its channel; 0 takes none." })}
${field({ name: "cost", label: "Cost of a segment", value: typed("cost", found.cost), hint: "For routing by least cost. Left empty: not known." })}</div>
<div class="row">${field({ name: "max_per_second", label: "Most a second", value: typed("max_per_second", found.max_per_second), hint: "Left empty: no limit." })}
${field({ name: "max_in_flight", label: "Most at once", value: typed("max_in_flight", found.max_in_flight), type: "number", required: true })}</div>
<div class="actions"><button class="main" type="submit">Keep this</button></div></form></section>
<section aria-labelledby="settings"><h2 id="settings">Settings</h2><pre tabindex="0"><code>${JSON.stringify(found.settings, null, 2)}</code></pre></section>
${curls(visit, [
  ["Keep this", "PATCH", apiPath(visit), { weight: found.weight }],
  ["Reach its provider", "POST", `${apiPath(visit)}/test`],
  ...(found.enabled ? [] : ([["Enable", "POST", `${apiPath(visit)}/enable`]] as const)),
])}`,
    problem?.status,
  );
}

const numberIn = (text: string): number | null => (text === "" ? null : Number(text));

const change = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async (given) => {
      const { api, form } = visit;
      const body = {
        weight: Number(form.text("weight")),
        cost: form.text("cost") || null,
        max_per_second: numberIn(form.text("max_per_second")),
        max_in_flight: Number(form.text("max_in_flight")),
      };
      await api.send("PATCH", apiPath(visit), { body, ...given });
      return { to: pageOf(visit), told: "Changed: in force everywhere within a second." };
    },
    (problem) => gateway(visit, problem),
  );

async function question(visit: Visit, problem?: Problem): Promise<Shown> {
  const { body, etag } = await visit.api.read<Config>(apiPath(visit));
  return asked(visit, {
    title: "Disable this gateway?",
    what: html`No more messages go through ${bdi(body.name)}; calls that are under way end. Messages take another gateway of ${body.channel}, or wait where there is none.`,
    action: `${pageOf(visit)}/disable`,
    label: "Disable the gateway",
    call: ["POST", `${apiPath(visit)}/disable`],
    back: pageOf(visit),
    etag,
    problem,
  });
}

const switched =
  (verb: "enable" | "disable") =>
  (visit: Visit): Promise<Shown | Led> =>
    acted(
      visit,
      async (given) => {
        await visit.api.send("POST", `${apiPath(visit)}/${verb}`, { ...given });
        return { to: pageOf(visit), told: `The gateway is ${verb}d.` };
      },
      (problem) => (verb === "disable" ? question(visit, problem) : gateway(visit, problem)),
    );

async function test(visit: Visit): Promise<Led> {
  const path = `${apiPath(visit)}/test`;
  const { ok, duration_ms, error } = await visit.api.send<Answers["TestedGateway"]>("POST", path);
  const told = ok
    ? `The provider answers, after ${duration_ms} ms.`
    : `The provider cannot be reached: ${error ?? "it gave no reason"}.`;
  return { to: pageOf(visit), told };
}

export const gatewayPages: readonly Page[] = [
  { method: "GET", path: "/gateways", section, answer: list },
  { method: "GET", path: "/gateways/:id", section, answer: (visit) => gateway(visit) },
  { method: "POST", path: "/gateways/:id", section, answer: change },
  { method: "GET", path: "/gateways/:id/disable", section, answer: (visit) => question(visit) },
  { method: "POST", path: "/gateways/:id/disable", section, answer: switched("disable") },
  { method: "POST", path: "/gateways/:id/enable", section, answer: switched("enable") },
  { method: "POST", path: "/gateways/:id/test", section, answer: test },
];
