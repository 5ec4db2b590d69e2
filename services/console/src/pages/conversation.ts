import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import type { Problem } from "../client.ts";
import { addressed, live } from "../live/region.ts";
import { base, type Shown, type Visit } from "../page.ts";
import type { List } from "../shapes.ts";
import { bdi, curls, empty, facts, pill, refusal, time, type Call } from "../view/parts.ts";
import { calledIn } from "../view/person.ts";
import { thread } from "../view/thread.ts";
import { contactPath } from "./contact-paths.ts";
import { due } from "./conversations.ts";

type Conversation = Answers["Conversation"];
type Said = Answers["ConversationMessage"];

const pageSize = 50;
/** What becomes of so many of our newest answers is shown as it happens. */
const answersWatched = 10;
/** The same of messages whose files are being fetched. */
const filesWatched = 10;

export const conversationPath = (id: string): string =>
  `${base}/conversations/${encodeURIComponent(id)}`;
export const conversationApi = ({ params }: Visit): string =>
  `/conversations/${encodeURIComponent(params["id"]!)}`;

/** What somebody may do, beside what was said; nothing for those who only look on. */
export type Drawn = {
  readonly reply: Html | undefined;
  readonly actions: Html | undefined;
  /** Of each form. */
  readonly calls: readonly Call[];
};
type Draw = (visit: Visit, found: Conversation, etag: string | undefined) => Promise<Drawn>;

/** A conversation as it stands, with what was refused just now. */
export async function show(visit: Visit, draw: Draw, problem?: Problem): Promise<Shown> {
  const { api, query } = visit;
  const path = conversationApi(visit);
  const [after, before] = [query.text("after"), query.text("before")];
  const newest = after === "" && before === "";
  const [{ body: found, etag }, said] = await Promise.all([
    api.read<Conversation>(path),
    api.get<List<Said>>(`${path}/messages`, {
      limit: pageSize,
      ...(newest ? { newest: "true" } : { after, before }),
    }),
  ]);
  const at = conversationPath(found.id);
  const { reply, actions, calls } = await draw(visit, found, etag);
  // An older page of it stays as it is.
  const watched = (name: string, body: Html, also: readonly string[] = []): Html =>
    live(name, newest ? [found.id, ...also].join(" ") : "", body);
  // Of an answer, and of what becomes of it, the message is told, with whom it goes to.
  const answers = said.data.filter(({ direction }) => direction === "outbound");
  const newestAnswers = answers.slice(-answersWatched).map(({ id }) => id);
  // What becomes of a file, the message that it came with is told of.
  const files = said.data.filter(({ media }) => media.some(({ fetching }) => fetching));
  const told = [
    ...addressed(found.address.id),
    ...newestAnswers,
    ...files.slice(-filesWatched).map(({ id }) => id),
  ];
  return {
    title: "Conversation",
    heading: calledIn(found),
    body: html`${problem !== undefined && refusal(problem)}${watched("state", html`<p class="lead">${pill(found.status)} ${found.channel} with ${bdi(found.address.id)}${found.unread > 0 && html` <span class="pill going">${found.unread} unread</span>`}</p>`)}
<div class="two desk">
<section aria-labelledby="said"><h2 id="said">What was said</h2>
${said.prev_cursor !== null && html`<p><a rel="prev" href="${at}?before=${said.prev_cursor}">Earlier</a></p>`}
${watched("thread", said.data.length === 0 ? empty("Nothing was said", "The first message opens the thread.") : thread({ label: "What was said, oldest first", person: calledIn(found), said: said.data }), told)}
${!newest && html`<p class="actions">${said.next_cursor !== null && html`<a rel="next" href="${at}?after=${said.next_cursor}">Later</a>`}<a href="${at}">The newest</a></p>`}
${reply}</section>
<div class="aside">
${actions}
${watched("about", about(found))}
</div></div>
${curls(visit, [["What was said", "GET", `${path}/messages`], ...calls])}`,
    ...(problem !== undefined && { status: problem.status }),
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
