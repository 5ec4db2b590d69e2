import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { base, type Page, type Shown, type Visit } from "../page.ts";
import type { List } from "../shapes.ts";
import { bdi, curl, empty, facts, pill, time } from "../view/parts.ts";
import { calledIn } from "../view/person.ts";
import { thread } from "../view/thread.ts";
import { contactPath } from "./contacts.ts";
import { due } from "./conversations.ts";

type Conversation = Answers["Conversation"];
type Said = Answers["ConversationMessage"];

const pageSize = 50;

export const conversationPath = (id: string): string =>
  `${base}/conversations/${encodeURIComponent(id)}`;
const apiPath = (id: string): string => `/conversations/${encodeURIComponent(id)}`;

export async function show(visit: Visit): Promise<Shown> {
  const { api, params, query } = visit;
  const path = apiPath(params["id"]!);
  const [after, before] = [query.text("after"), query.text("before")];
  const newest = after === "" && before === "";
  const [{ body: found }, said] = await Promise.all([
    api.read<Conversation>(path),
    api.get<List<Said>>(`${path}/messages`, {
      limit: pageSize,
      ...(newest ? { newest: "true" } : { after, before }),
    }),
  ]);
  const at = conversationPath(found.id);
  return {
    title: "Conversation",
    heading: calledIn(found),
    body: html`<p class="lead">${pill(found.status)} ${found.channel} with ${bdi(found.address.id)}${found.unread > 0 && html` <span class="pill going">${found.unread} unread</span>`}</p>
<div class="two desk">
<section aria-labelledby="said"><h2 id="said">What was said</h2>
${said.prev_cursor !== null && html`<p><a rel="prev" href="${at}?before=${said.prev_cursor}">Earlier</a></p>`}
${said.data.length === 0 ? empty("Nothing was said", "The first message opens the thread.") : thread({ label: "What was said, oldest first", person: calledIn(found), said: said.data })}
${!newest && html`<p class="actions">${said.next_cursor !== null && html`<a rel="next" href="${at}?after=${said.next_cursor}">Later</a>`}<a href="${at}">The newest</a></p>`}
</section>
<div class="aside">
${about(found)}
</div></div>
${curl(visit, "GET", `${path}/messages`)}`,
  };
}

const about = (found: Conversation): Html =>
  html`<section aria-labelledby="about"><h2 id="about">About it</h2>${facts([
    ["Contact", html`<a href="${contactPath(found.contact.id)}">${calledIn(found)}</a>`],
    [
      "With",
      found.assignee === null ? html`<span class="none">nobody</span>` : bdi(found.assignee.name),
    ],
    [
      "Team",
      found.team === null ? html`<span class="none">–</span>` : html`<code>${found.team}</code>`,
    ],
    ["Due", due(found)],
    ["Written to", bdi(found.inbox)],
    ["Opened", time(found.created_at)],
    ["Last activity", time(found.updated_at)],
    ["Closed", time(found.closed_at)],
    ["Id", html`<code>${found.id}</code>`],
  ])}</section>`;

export const conversationPage: readonly Page[] = [
  { method: "GET", path: "/conversations/:id", section: "/conversations", answer: show },
];
