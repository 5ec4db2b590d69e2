import { html, type Html } from "@heliograph/html";
import { base, shown, type Page, type Shown, type Visit } from "../page.ts";
import type { List, Message, MessageSummary, Moment } from "../shapes.ts";
import { live } from "../live/region.ts";
import { messageTable } from "../view/message-table.ts";
import { bdi, curl, empty, facts, field, money, pages, pill, time } from "../view/parts.ts";

export const channels = ["sms", "whatsapp", "email", "push", "telegram"];
const statuses = [
  "scheduled",
  "queued",
  "sent",
  "delivered",
  "read",
  "failed",
  "bounced",
  "expired",
  "rejected",
  "canceled",
];
const filterNames = ["status", "channel", "to", "tag", "client_ref"];
const pageSize = 50;

async function list(visit: Visit): Promise<Shown> {
  const { api, query } = visit;
  const filters = Object.fromEntries(filterNames.map((name) => [name, query.text(name)]));
  const given = Object.values(filters).some((value) => value !== "");
  const found = await api.get<List<MessageSummary>>("/messages", {
    ...filters,
    after: query.text("after"),
    before: query.text("before"),
    limit: pageSize,
  });
  const any = (names: readonly string[]): readonly (readonly [string, string])[] => [
    ["", "any"],
    ...names.map((name) => [name, name] as const),
  ];
  const asked = new URLSearchParams(Object.entries(filters).filter(([, value]) => value !== ""));
  return shown(
    "Messages",
    html`<form class="filters" method="get" action="${base}/messages">
${field({ name: "status", label: "Status", value: filters["status"] ?? "", options: any(statuses) })}
${field({ name: "channel", label: "Channel", value: filters["channel"] ?? "", options: any(channels) })}
${field({ name: "to", label: "To", value: filters["to"] ?? "", type: "search" })}
${field({ name: "tag", label: "Tag", value: filters["tag"] ?? "", type: "search" })}
${field({ name: "client_ref", label: "Your reference", value: filters["client_ref"] ?? "", type: "search" })}
<div class="actions"><button type="submit">Filter</button>${given && html`<a href="${base}/messages">Show all</a>`}</div>
</form>
${live(
  "messages",
  "message",
  found.data.length > 0
    ? messageTable("Messages, newest first", found.data)
    : given
      ? empty(
          "No message fits",
          html`Take a filter away, or <a href="${base}/messages">show all</a>.`,
        )
      : empty(
          "No message yet",
          html`<a href="${base}/send">Send one from here</a>, or with a key: <code>POST /messages</code>.`,
        ),
)}
${pages(`${base}/messages`, filters, found)}
${curl(visit, "GET", `/messages${asked.size > 0 ? `?${asked.toString()}` : ""}`)}`,
  );
}

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

const timelineOf = (moments: readonly Moment[]): Html =>
  html`<ol class="timeline">${moments.map(
    (moment) => html`<li>
<p class="head"><strong>${spaced(moment.type)}</strong> ${time(moment.timestamp)} <span class="position" title="Position in the log">#${moment.position.replace(/^0+(?=.)/, "")}</span></p>
${said(moment) !== "" && html`<p>${bdi(said(moment))}</p>`}
${moment.reason !== undefined && html`<p class="why">${bdi(moment.reason)}</p>`}
<details><summary>All of it</summary><pre tabindex="0"><code>${JSON.stringify(moment.data, null, 2)}</code></pre><p class="small">By <code>${moment.actor}</code>, event <code>${moment.id}</code></p></details>
</li>`,
  )}</ol>`;

/** Why it went no further. */
const trouble = ({ error, bounce }: Message): Html | undefined => {
  if (error === undefined && bounce === undefined) return undefined;
  return html`<div class="refusal"><h2>It did not arrive</h2>${error && html`<p><a href="/errors/${error.code}"><code>${error.code}</code></a>${error.permanent ? " It is final: sending the same again will not help." : " It may work later."}</p>${error.provider?.text !== undefined && html`<p>The provider says: ${bdi(error.provider.text)}</p>`}`}${bounce && html`<p>${bdi(bounce.diagnostic)}</p>`}</div>`;
};

async function one(visit: Visit): Promise<Shown> {
  const { api, params } = visit;
  const path = `/messages/${encodeURIComponent(params["id"]!)}`;
  const [message, timeline] = await Promise.all([
    api.get<Message>(path),
    api.get<{ data: readonly Moment[] }>(`${path}/timeline`),
  ]);
  const { content } = message;
  return shown(
    "Message",
    html`${live(
      "message",
      message.id,
      html`<p class="lead">${pill(message.status)} ${message.channel} to ${bdi(message.to)}</p>
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
</section></div>
<section aria-labelledby="life"><h2 id="life">Its life, from the log</h2>${timelineOf(timeline.data)}</section>`,
    )}
${curl(visit, "GET", `/messages/${message.id}/timeline`)}`,
  );
}

export const messagePages: readonly Page[] = [
  { method: "GET", path: "/messages", section: "/messages", answer: list },
  { method: "GET", path: "/messages/:id", section: "/messages", answer: one },
];
