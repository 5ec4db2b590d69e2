import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import type { Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import type { List } from "../shapes.ts";
import { act, numberIn, tried, typed } from "../view/acts.ts";
import { asked } from "../view/forms.ts";
import {
  bdi,
  curl,
  curls,
  empty,
  facts,
  field,
  money,
  pages,
  pill,
  refusal,
  table,
  time,
  type Call,
} from "../view/parts.ts";

type Partner = Answers["Partner"];
type Created = Answers["CreatedPartner"];

const section = "/partners";
const none = html`<span class="none">no limit</span>`;
const onlyLive = html`<p>Partners are one list for both worlds, and are changed in live. <strong>Switch to live</strong> to make or change one.</p>`;

const rateOf = ({ rate_limit: rate }: Partner): Html | string =>
  rate === null ? none : `${rate.requests.toLocaleString("en")} in ${rate.window_seconds} s`;

async function list(visit: Visit, problem?: Problem): Promise<Shown> {
  const { api, query, environment } = visit;
  const found = await api.get<List<Partner>>("/admin/partners", {
    limit: 50,
    after: query.text("after"),
    before: query.text("before"),
  });
  return shown(
    "Partners",
    html`${problem !== undefined && refusal(problem)}
${
  found.data.length === 0
    ? empty(
        "No partner yet",
        "A partner is a customer: a name, a currency, two wallets and a key for each world.",
      )
    : table<Partner>(
        "Partners, oldest first",
        [
          {
            label: "Name",
            cell: ({ id, name }) => html`<a href="${base}${section}/${id}">${bdi(name)}</a>`,
          },
          { label: "Status", cell: ({ status }) => pill(status) },
          { label: "Currency", cell: ({ currency }) => currency },
          { label: "Requests", cell: rateOf },
          {
            label: "Messages a day",
            figures: true,
            cell: ({ daily_messages }) => daily_messages?.toLocaleString("en") ?? none,
          },
          { label: "Since", cell: ({ created_at }) => time(created_at) },
        ],
        found.data,
      )
}
${pages(`${base}${section}`, {}, { next_cursor: found.next_cursor, prev_cursor: found.prev_cursor })}
<section aria-labelledby="new"><h2 id="new">Make a partner</h2>
${
  environment === "live"
    ? act(
        visit,
        section,
        html`<div class="row">${field({ name: "name", label: "Name", value: typed(visit, "name"), required: true })}
${field({ name: "currency", label: "Currency", value: typed(visit, "currency"), placeholder: "USD", hint: "Of its wallets. One in which something is priced." })}
${field({ name: "requests", label: "Requests a second", value: typed(visit, "requests"), hint: "Left empty: no limit." })}</div>`,
        "Make the partner",
      )
    : onlyLive
}</section>
${curl(visit, "POST", "/admin/partners", { name: "Acme" })}`,
  );
}

const create = (visit: Visit): Promise<Led | Shown> =>
  tried(
    visit,
    async (given) => {
      const { form, api } = visit;
      const rate = numberIn(visit, "requests");
      const body = {
        name: form.text("name"),
        ...(form.text("currency") !== "" && { currency: form.text("currency") }),
        ...(rate !== null && { rate_limit: rate }),
      };
      const made = await api.send<Created>("POST", "/admin/partners", { body, key: given.key });
      const { keys } = made;
      const told = "The partner is made.";
      return {
        to: `${base}${section}/${made.id}`,
        ...(keys === null
          ? { told: `${told} Its keys were shown already.` }
          : {
              told: `${told} Its keys are shown once: hand them on now, by a way that nobody else reads.`,
              secrets: [
                ["Live", keys.live],
                ["Sandbox", keys.sandbox],
              ] as const,
            }),
      };
    },
    (problem) => list(visit, problem),
  );

const limitFields = (visit: Visit, partner: Partner): Html => {
  const { rate_limit: rate, recipient_rate: recipient } = partner;
  const number = (
    name: string,
    label: string,
    there: number | null | undefined,
    hint?: string,
  ): Html =>
    field({
      name,
      label,
      value: typed(visit, name, there),
      ...(hint !== undefined && { hint }),
    });
  return html`${field({ name: "name", label: "Name", value: typed(visit, "name", partner.name), required: true })}
<fieldset><legend>Requests</legend><div class="row">
${number("requests", "So many", rate?.requests, "Left empty: no limit.")}
${number("window_seconds", "In so many seconds", rate?.window_seconds)}
${number("burst", "At once", rate?.burst, "Left empty: as many as in the window.")}</div></fieldset>
<fieldset><legend>Messages</legend><div class="row">
${number("message_rate", "A second", partner.message_rate)}
${number("daily_messages", "A day", partner.daily_messages)}
${number("recipient_messages", "To one recipient", recipient?.messages)}
${number("recipient_seconds", "In so many seconds", recipient?.window_seconds)}</div>
${field({ name: "allowed_countries", label: "Countries", value: typed(visit, "allowed_countries", partner.allowed_countries?.join(", ")), hint: "Codes such as US, with commas. Left empty: all." })}</fieldset>`;
};

function limitsIn(visit: Visit): object {
  const pair = (one: string, two: string, first: string, second: string): object | null => {
    const [a, b] = [numberIn(visit, one), numberIn(visit, two)];
    return a === null && b === null ? null : { [first]: a, [second]: b };
  };
  const rate = pair("requests", "window_seconds", "requests", "window_seconds");
  const burst = numberIn(visit, "burst");
  const countries = visit.form.text("allowed_countries");
  return {
    name: visit.form.text("name"),
    rate_limit: rate === null ? null : { ...rate, ...(burst !== null && { burst }) },
    message_rate: numberIn(visit, "message_rate"),
    daily_messages: numberIn(visit, "daily_messages"),
    recipient_rate: pair("recipient_messages", "recipient_seconds", "messages", "window_seconds"),
    allowed_countries:
      countries === "" ? null : countries.split(/[\s,]+/).map((code) => code.toUpperCase()),
  };
}

const pathOf = ({ params }: Visit): string =>
  `/admin/partners/${encodeURIComponent(params["id"]!)}`;

/** Changes what was seen: one who saw an older state is told so, and changes nothing. */
const patch = (visit: Visit, given: { readonly key: string }, body: object): Promise<Partner> =>
  visit.api.send<Partner>("PATCH", pathOf(visit), { body, ...given });

function callsOf({ environment }: Visit, { id, status }: Partner): readonly Call[] {
  const path = `/admin/partners/${id}`;
  const correction = { amount: "-2.50", reason: "Charged twice", environment };
  const adjust: Call = ["Correct the balance …", "POST", `${path}/adjustments`, correction];
  if (environment !== "live") return [["This page", "GET", path], adjust];
  return [
    ["Set the limits", "PATCH", path, { daily_messages: 10_000 }],
    adjust,
    ["Assign …", "PUT", `${path}/price-list`, { list: "standard" }],
    ...(status === "suspended"
      ? ([["Let it in again", "PATCH", path, { status: "active" }]] as const)
      : []),
  ];
}

async function one(visit: Visit, problem?: Problem): Promise<Shown> {
  const { environment } = visit;
  const { body: partner, etag } = await visit.api.read<Partner>(pathOf(visit));
  const path = `${section}/${partner.id}`;
  const suspended = partner.status === "suspended";
  return {
    ...shown(
      partner.name,
      html`${problem !== undefined && refusal(problem)}
<p class="lead">${pill(partner.status)} <code>${partner.id}</code></p>
${facts([
  ["Currency", partner.currency],
  ["Made", time(partner.created_at)],
  ["Changed", time(partner.updated_at)],
])}
<section aria-labelledby="limits"><h2 id="limits">Limits</h2>
${environment === "live" ? act(visit, `${path}/limits`, limitFields(visit, partner), "Set the limits", { etag }) : onlyLive}</section>
<section aria-labelledby="adjust"><h2 id="adjust">Correct its ${environment} balance</h2>
${act(
  visit,
  `${path}/adjust`,
  html`<div class="row">${field({ name: "amount", label: `Amount in ${partner.currency}`, value: typed(visit, "amount"), required: true, placeholder: "-2.50", hint: "Below 0 it is taken away." })}
${field({ name: "reason", label: "Reason", value: typed(visit, "reason"), required: true, hint: "It stands in the partner's statement." })}</div>`,
  "Correct the balance …",
)}</section>
${
  environment === "live" &&
  html`<section aria-labelledby="prices"><h2 id="prices">Prices</h2>
${act(visit, `${path}/price-list`, field({ name: "list", label: "Price list", value: typed(visit, "list"), required: true, placeholder: "standard", hint: "It prices what the partner sends from here on." }), "Assign …", { look: "sheet inline" })}</section>
<section aria-labelledby="access"><h2 id="access">${suspended ? "Let it in again" : "Suspend it"}</h2>
${suspended ? act(visit, `${path}/status`, html`<input type="hidden" name="status" value="active">`, "Let it in again", { look: "plain", etag }) : html`<p><a href="${base}${path}/suspend">Suspend this partner …</a></p>`}</section>`
}
${curls(visit, callsOf(visit, partner))}`,
    ),
    heading: bdi(partner.name),
  };
}

const back = ({ params }: Visit): string => `${base}${section}/${params["id"]!}`;

const setLimits = (visit: Visit): Promise<Led | Shown> =>
  tried(
    visit,
    async (given) => {
      await patch(visit, given, limitsIn(visit));
      return { to: back(visit), told: "The limits are in force." };
    },
    (problem) => one(visit, problem),
  );

async function suspending(visit: Visit): Promise<Shown> {
  const { body: partner, etag } = await visit.api.read<Partner>(pathOf(visit));
  return asked(visit, {
    title: "Suspend a partner",
    what: html`<strong>${bdi(partner.name)}</strong> Within a second every call with its keys, and every session of its agents, is refused in both worlds. What it has accepted already still goes out, and nothing is deleted. It can be let in again at any time.<input type="hidden" name="status" value="suspended">`,
    action: `${base}${section}/${partner.id}/status`,
    label: "Suspend it",
    call: ["PATCH", pathOf(visit), { status: "suspended" }],
    back: `${base}${section}/${partner.id}`,
    etag,
  });
}

const setStatus = (visit: Visit): Promise<Led | Shown> =>
  tried(
    visit,
    async (given) => {
      const { status } = await patch(visit, given, { status: visit.form.text("status") });
      return { to: back(visit), told: status === "active" ? "It is let in." : "It is suspended." };
    },
    (problem) => one(visit, problem),
  );

type Asking = Pick<Parameters<typeof asked>[1], "title" | "label" | "call">;

/** What will happen, before it does: `fields` are posted again with the answer. */
async function sure(
  visit: Visit,
  name: string,
  question: Asking,
  { what, fields }: { readonly what: Html; readonly fields: readonly string[] },
): Promise<Shown> {
  const kept = fields.map(
    (field) => html`<input type="hidden" name="${field}" value="${visit.form.exact(field)}">`,
  );
  return asked(visit, {
    ...question,
    what: html`${what}${kept}<input type="hidden" name="sure" value="1">`,
    action: `${back(visit)}/${name}`,
    back: back(visit),
  });
}

async function adjusting(visit: Visit): Promise<Shown> {
  const { form, environment, api } = visit;
  const partner = await api.get<Partner>(pathOf(visit));
  const what = html`The ${environment} balance of <strong>${bdi(partner.name)}</strong> changes by ${money(form.text("amount"), partner.currency)}. It stands in the partner's statement, with your name and the reason ${bdi(form.text("reason"))}, for ever: only another correction takes it back.`;
  const question: Asking = {
    title: "Correct this balance?",
    label: "Correct the balance",
    call: [
      "POST",
      `${pathOf(visit)}/adjustments`,
      { amount: form.text("amount"), reason: form.text("reason"), environment },
    ],
  };
  return sure(visit, "adjust", question, { what, fields: ["amount", "reason"] });
}

async function adjust(visit: Visit): Promise<Led | Shown> {
  if (!visit.form.has("sure")) return adjusting(visit);
  return tried(
    visit,
    async (given) => {
      const { form, environment, api } = visit;
      const body = { amount: form.text("amount"), reason: form.text("reason"), environment };
      const made = await api.send<Answers["Adjustment"]>("POST", `${pathOf(visit)}/adjustments`, {
        body,
        key: given.key,
      });
      return {
        to: back(visit),
        told: `Corrected by ${made.amount} ${made.currency}: ${made.available} is available now.`,
      };
    },
    (problem) => one(visit, problem),
  );
}

async function assigning(visit: Visit): Promise<Shown> {
  const partner = await visit.api.get<Partner>(pathOf(visit));
  const what = html`From now on what <strong>${bdi(partner.name)}</strong> sends is priced by ${bdi(visit.form.text("list"))}. Its wallet is the one in that list's currency: with another currency than ${partner.currency} it is another wallet, with its own balance. What was accepted keeps its price.`;
  const question: Asking = {
    title: "Give this partner another price list?",
    label: "Assign the list",
    call: ["PUT", `${pathOf(visit)}/price-list`, { list: visit.form.text("list") }],
  };
  return sure(visit, "price-list", question, { what, fields: ["list"] });
}

async function assign(visit: Visit): Promise<Led | Shown> {
  if (!visit.form.has("sure")) return assigning(visit);
  return tried(
    visit,
    async (given) => {
      const body = { list: visit.form.text("list") };
      const made = await visit.api.send<Answers["AssignedPrices"]>(
        "PUT",
        `${pathOf(visit)}/price-list`,
        { body, key: given.key },
      );
      return { to: back(visit), told: `Priced by ${made.list} from here on.` };
    },
    (problem) => one(visit, problem),
  );
}

const at = `${section}/:id`;
export const partnerPages: readonly Page[] = [
  { method: "GET", path: section, section, answer: (visit) => list(visit) },
  { method: "POST", path: section, section, answer: create },
  { method: "GET", path: at, section, answer: (visit) => one(visit) },
  { method: "POST", path: `${at}/limits`, section, answer: setLimits },
  { method: "GET", path: `${at}/suspend`, section, answer: suspending },
  { method: "POST", path: `${at}/status`, section, answer: setStatus },
  { method: "POST", path: `${at}/adjust`, section, answer: adjust },
  { method: "POST", path: `${at}/price-list`, section, answer: assign },
];
