import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { withQuery } from "../client.ts";
import { live } from "../live/region.ts";
import { base, shown, type Page, type Shown, type Visit } from "../page.ts";
import type { List } from "../shapes.ts";
import { bdi, curl, empty, field, pages, pill, table, time } from "../view/parts.ts";
import { calledIn } from "../view/person.ts";
import { personChannels } from "./messages.ts";

type Conversation = Answers["Conversation"];

const views = [
  ["mine", "Mine"],
  ["unassigned", "Unassigned"],
  ["all", "All"],
] as const;
const statuses = ["open", "snoozed", "closed"];
const pageSize = 50;

/** What changes an inbox: who writes, who is answered, whose a conversation is, and what people are called. */
const watched = "conversation message.received message.queued contact";

/** What the address asks for; an inbox opens with what is open. */
function askedOf({ query, who }: Visit) {
  const view = views.find(([name]) => name === query.text("view"))?.[0] ?? "all";
  const status = query.has("status") ? query.text("status") : "open";
  const given = { status, channel: query.text("channel"), unread: query.text("unread") };
  const assignee = view === "mine" ? who.id : view === "unassigned" ? "none" : "";
  return { view, given, filters: { ...given, assignee } };
}

const tabs = (view: string, given: Readonly<Record<string, string>>): Html =>
  html`<nav class="tabs" aria-label="Whose conversations"><ul>${views.map(
    ([name, label]) =>
      html`<li><a href="${base}/conversations?${new URLSearchParams({ view: name, ...given }).toString()}"${name === view && html` aria-current="page"`}>${label}</a></li>`,
  )}</ul></nav>`;

/** By when somebody is to answer, or to be done. */
export const due = ({
  first_response_due_at: first,
  resolution_due_at: resolution,
}: Pick<Conversation, "first_response_due_at" | "resolution_due_at">): Html => {
  const at = first ?? resolution;
  if (at === null) return time(at);
  const what = first === null ? "close" : "answer";
  return Date.parse(at) < Date.now()
    ? html`<span class="pill bad">${what} was due</span> ${time(at)}`
    : html`${what} by ${time(at)}`;
};

/** How a message begins, in a row of a table. */
const snippet = ({ last_message: last }: Conversation): Html => {
  if (last === null) return html`<span class="none">–</span>`;
  const text = (last.text ?? "").replaceAll(/\s+/g, " ").trim();
  const short = text.length > 90 ? `${text.slice(0, 90)}…` : text;
  return html`${last.direction === "outbound" && html`<span class="small">you: </span>`}${short === "" ? html`<span class="none">no text</span>` : bdi(short)}`;
};

async function inbox(visit: Visit): Promise<Shown> {
  const { api, query } = visit;
  const { view, given, filters } = askedOf(visit);
  const found = await api.get<List<Conversation>>("/conversations", {
    ...filters,
    after: query.text("after"),
    before: query.text("before"),
    limit: pageSize,
  });
  const filtered = given.channel !== "" || given.unread !== "" || view !== "all";
  return shown(
    "Conversations",
    html`${tabs(view, given)}
<form class="filters" method="get" action="${base}/conversations"><input type="hidden" name="view" value="${view}">
${field({ name: "status", label: "Status", value: given.status, options: [...statuses, ["", "any"]] })}
${field({ name: "channel", label: "Channel", value: given.channel, options: [["", "any"], ...personChannels] })}
${field({
  name: "unread",
  label: "Read",
  value: given.unread,
  options: [
    ["", "any"],
    ["true", "unread"],
    ["false", "all read"],
  ],
})}
<div class="actions"><button type="submit">Filter</button></div></form>
${live(
  "inbox",
  watched,
  html`${found.data.length > 0 ? table("Conversations, newest activity first", columns, found.data) : nothing(filtered || given.status !== "open")}
${pages(`${base}/conversations`, { view, ...given }, found)}`,
)}
${curl(visit, "GET", withQuery("/conversations", filters))}`,
  );
}

const nothing = (filtered: boolean): Html =>
  filtered
    ? empty(
        "Nothing here",
        html`No conversation fits. <a href="${base}/conversations?status=">Show all</a>`,
      )
    : empty(
        "The inbox is empty",
        html`A conversation opens when somebody writes to one of your numbers or addresses. In the sandbox <code>POST /sandbox/inbound</code> with <code>channel</code>, <code>from</code> and <code>text</code> plays that part. <a href="${base}/conversations?status=">Show closed ones too</a>`,
      );

const columns = [
  {
    label: "Who",
    cell: (row: Conversation) =>
      html`<a href="${base}/conversations/${row.id}">${row.unread > 0 ? html`<strong>${calledIn(row)}</strong>` : calledIn(row)}</a>${row.unread > 0 && html` <span class="pill going">${row.unread} unread</span>`}`,
  },
  { label: "Last", cell: snippet },
  { label: "Status", cell: ({ status }: Conversation) => pill(status) },
  { label: "With", cell: ({ assignee }: Conversation) => bdi(assignee?.name) },
  { label: "Due", cell: due },
  {
    label: "Channel",
    cell: ({ channel, inbox: to }: Conversation) =>
      html`${channel} <span class="small">${bdi(to)}</span>`,
  },
  { label: "When", cell: ({ updated_at }: Conversation) => time(updated_at) },
];

export const conversationPages: readonly Page[] = [
  { method: "GET", path: "/conversations", section: "/conversations", live: true, answer: inbox },
];
