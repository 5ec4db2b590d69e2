import { hasScope } from "@heliograph/api";
import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { base, shown, type Shown, type Visit } from "../page.ts";
import { live } from "../live/region.ts";
import type { List, Message, Moment } from "../shapes.ts";
import { bdi, curl, facts, money, pill, table, time, type Column } from "../view/parts.ts";

const short = (position: string): string => position.replace(/^0+(?=.)/, "");

/** What an event says, in a few of its own words. */
function said({ data }: Moment): string {
  const text = (name: string): string | undefined =>
    typeof data[name] === "string" || typeof data[name] === "number"
      ? String(data[name])
      : undefined;
  const error = data["error"] as { code?: string } | undefined;
  const parts = [
    text("amount") && `${text("amount")} ${text("currency") ?? ""}`,
    text("attempt") && `attempt ${text("attempt")}`,
    text("gateway") && `gateway ${text("gateway")}`,
    text("status"),
    error?.code,
    text("diagnostic"),
  ];
  return parts.filter(Boolean).join(" · ");
}

const spaced = (type: string): string => type.replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ");

const timelineOf = (id: string, moments: readonly Moment[]): Html =>
  html`<ol class="timeline">${moments.map(
    (moment, step) => html`<li>
<p class="head"><strong>${spaced(moment.type)}</strong> ${time(moment.timestamp)} <a class="position" href="${base}/messages/${id}?step=${step}" title="The message as of this position">#${short(moment.position)}</a></p>
${said(moment) !== "" && html`<p>${bdi(said(moment))}</p>`}
${moment.reason !== undefined && html`<p class="why">${bdi(moment.reason)}</p>`}
<details><summary>All of it</summary><pre tabindex="0"><code>${JSON.stringify(moment.data, null, 2)}</code></pre><p class="small">By <code>${moment.actor}</code>, event <code>${moment.id}</code></p></details>
</li>`,
  )}</ol>`;

/** Why it went no further. */
const trouble = ({ error, bounce }: Message): Html | undefined => {
  if (error === undefined && bounce === undefined) return undefined;
  return html`<div class="refusal"><h2>It did not arrive</h2>${error && html`<p><a href="/errors/${error.code}"><code>${error.code}</code></a>${error.permanent ? " It is final: sending the same again will not help." : " It may work later."}${error.billable ? " The provider charges for it, so its price is not given back." : ""}</p>${error.provider?.text !== undefined && html`<p>The provider says: ${bdi(error.provider.text)}</p>`}`}${bounce && html`<p>${bdi(bounce.diagnostic)}</p>`}</div>`;
};

/** As it was after one of its events: a form that needs no script. */
function slider({ id }: Message, moments: readonly Moment[], step: number): Html {
  const last = moments.length - 1;
  const at = moments[step]!;
  const to = (place: number, label: string): Html =>
    html`<a href="${base}/messages/${id}?step=${place}">${label}</a>`;
  return html`<section aria-labelledby="as-of"><h2 id="as-of">As of a position</h2>
<form class="sheet" method="get" action="${base}/messages/${id}">
<div class="field"><label for="step">Event ${step + 1} of ${last + 1}: ${spaced(at.type)}, #${short(at.position)}</label>
<input id="step" name="step" type="range" min="0" max="${last}" value="${step}" step="1"></div>
<div class="actions"><button type="submit">Show it as of there</button>${step > 0 && to(step - 1, "One back")}${step < last && to(step + 1, "One on")}${step < last && html`<a href="${base}/messages/${id}">Now</a>`}</div>
</form></section>`;
}

const numberIn = (moment: Moment, name: string): string | undefined => {
  const value = moment.data[name];
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
};

const when: Column<Moment> = { label: "When", cell: ({ timestamp }) => time(timestamp) };
const what: Column<Moment> = { label: "What", cell: ({ type }) => spaced(type) };

/** Each try, where it went and why there. */
const attempts = (moments: readonly Moment[]): Html => {
  const tries = moments.filter((moment) => numberIn(moment, "attempt") !== undefined);
  return html`<section aria-labelledby="attempts"><h2 id="attempts">Attempts</h2>${
    tries.length === 0
      ? html`<p class="none">No provider was asked yet.</p>`
      : table<Moment>(
          "Attempts, oldest first",
          [
            when,
            {
              label: "Attempt",
              figures: true,
              cell: (moment) => numberIn(moment, "attempt") ?? "",
            },
            what,
            { label: "Gateway", cell: (moment) => bdi(numberIn(moment, "gateway")) },
            { label: "Why", cell: (moment) => bdi(moment.reason ?? said(moment)) },
          ],
          tries,
        )
  }</section>`;
};

const isMove = ({ type, data }: Moment): boolean =>
  type.startsWith("Funds") && typeof data["amount"] === "string";

const moves = (moments: readonly Moment[]): Html => {
  const found = moments.filter(isMove);
  return html`<section aria-labelledby="money"><h2 id="money">Money</h2>${
    found.length === 0
      ? html`<p class="none">Nothing moved for it.</p>`
      : table<Moment>(
          "What moved in the wallet, oldest first",
          [
            when,
            what,
            {
              label: "Amount",
              figures: true,
              cell: (moment) =>
                money(numberIn(moment, "amount") ?? "", numberIn(moment, "currency") ?? ""),
            },
            {
              label: "Available after",
              figures: true,
              cell: (moment) => numberIn(moment, "available") ?? "",
            },
          ],
          found,
        )
  }</section>`;
};

type Delivery = Answers["WebhookDelivery"];
const mostDeliveries = 100;

const deliveriesOf = async (api: Visit["api"], message: string): Promise<List<Delivery>> =>
  api.get<List<Delivery>>("/webhook-deliveries", { message_id: message, limit: mostDeliveries });

/** What was told of these moments: a delivery names the event that it tells of. */
function webhooks({ data, next_cursor }: List<Delivery>, moments: readonly Moment[]): Html {
  const ids = new Set(moments.map(({ id }) => id));
  const found = data.filter(({ event_id }) => ids.has(event_id));
  return html`<section aria-labelledby="webhooks"><h2 id="webhooks">Webhooks</h2>${
    found.length === 0
      ? html`<p class="none">Nobody was told of it. <a href="${base}/webhooks">Webhooks</a></p>`
      : table<Delivery>(
          next_cursor === null
            ? "What was told of it, newest first"
            : `The newest ${mostDeliveries} that were told of it`,
          [
            { label: "When", cell: ({ created_at }) => time(created_at) },
            {
              label: "Event",
              cell: ({ id, endpoint_id, type }) =>
                html`<a href="${base}/webhooks/${endpoint_id}/deliveries/${id}"><code>${type}</code></a>`,
            },
            { label: "Status", cell: ({ status }) => pill(status) },
            { label: "Attempts", figures: true, cell: ({ attempts: tries }) => tries.length },
            {
              label: "Endpoint",
              cell: ({ endpoint_id }) =>
                html`<a href="${base}/webhooks/${endpoint_id}"><code>${endpoint_id}</code></a>`,
            },
          ],
          found,
        )
  }</section>`;
}

/** The place that was asked for, within the events that there are. */
function stepIn({ query }: Visit, count: number): number {
  const text = query.text("step");
  const last = Math.max(0, count - 1);
  return /^\d{1,6}$/.test(text) ? Math.min(Number(text), last) : last;
}

export async function onePage(visit: Visit): Promise<Shown> {
  const { api, params, who } = visit;
  const path = `/messages/${encodeURIComponent(params["id"]!)}`;
  const [{ data: all }, now, told] = await Promise.all([
    api.get<{ data: readonly Moment[] }>(`${path}/timeline`),
    api.get<Message>(path),
    hasScope(who.scopes, "webhooks:read") ? deliveriesOf(api, params["id"]!) : undefined,
  ]);
  const step = stepIn(visit, all.length);
  const past = step < all.length - 1;
  const moments = all.slice(0, step + 1);
  const message = past ? await api.get<Message>(path, { as_of: all[step]!.position }) : now;
  const { content } = message;
  // What was stays as it was.
  const watched = (name: string, body: Html): Html => (past ? body : live(name, message.id, body));
  return shown(
    "Message",
    html`${watched(
      "message",
      html`<p class="lead">${pill(message.status)} ${message.channel} to ${bdi(message.to)}${past && html` <span class="small">as of #${short(all[step]!.position)}</span>`}</p>
${trouble(message)}
<div class="two">
<section aria-labelledby="what"><h2 id="what">What was sent</h2>
${content?.subject !== undefined && html`<p class="subject">${bdi(content.subject)}</p>`}
${content?.text === undefined ? html`<p class="none">No text to show.</p>` : html`<blockquote class="text" dir="auto">${content.text}</blockquote>`}
${facts(
  [
    [
      "Template",
      content?.template &&
        html`<a href="${base}/templates/${content.template.slug}?channel=${message.channel}">${content.template.slug}</a> version ${content.template.version}, ${content.template.language}`,
    ],
    [
      "Segments",
      `${message.segments.count} (${message.segments.encoding}, ${message.segments.characters} characters)`,
    ],
    ["Cost", money(message.cost, message.currency)],
    ["From", bdi(message.from)],
  ].filter(([, value]) => value !== undefined) as [string, Html][],
)}
</section>
<section aria-labelledby="facts"><h2 id="facts">Facts</h2>
${facts([
  ["Id", html`<code>${message.id}</code>`],
  ["Made", time(message.created_at)],
  ["Sent", time(message.sent_at)],
  ["Delivered", time(message.delivered_at)],
  ["Attempts", `${message.attempts}, of them ${message.retry_count} repeated`],
  [
    "Provider",
    message.provider
      ? html`${message.provider.name} <code>${message.provider.message_id}</code>`
      : html`<span class="none">–</span>`,
  ],
  ["Your reference", bdi(message.client_ref)],
  ["Tags", bdi(message.tags.join(", "))],
])}
</section></div>`,
    )}
${slider(message, all, step)}
${watched(
  "life",
  html`${attempts(moments)}
<div class="two">${moves(moments)}${told !== undefined && webhooks(told, moments)}</div>
<section aria-labelledby="life"><h2 id="life">Its life, from the log</h2>${timelineOf(message.id, moments)}</section>`,
)}
${curl(visit, "GET", `/messages/${message.id}${past ? `?as_of=${all[step]!.position}` : "/timeline"}`)}`,
  );
}
