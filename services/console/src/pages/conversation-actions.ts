import { hasScope } from "@heliograph/api";
import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { allOf, notAll } from "../all-of.ts";
import type { Problem } from "../client.ts";
import type { Led, Page, Shown, Visit } from "../page.ts";
import type { TemplateSummary } from "../shapes.ts";
import { acted, button, once } from "../view/forms.ts";
import { field, type Call } from "../view/parts.ts";
import { findTemplate, typedVariables } from "../variables.ts";
import { templateField, waitSeconds } from "./send.ts";
import { conversationApi, conversationPath, show, type Drawn } from "./conversation.ts";

type Conversation = Answers["Conversation"];
type Agent = Answers["Agent"];

const hourMs = 3_600_000;

const mayAct = ({ who }: Visit): boolean => hasScope(who.scopes, "conversations:write");

/** What can be done with a conversation by whoever looks at it. */
const draw = async (visit: Visit, found: Conversation, etag: string | undefined): Promise<Drawn> =>
  mayAct(visit)
    ? {
        reply: found.status === "closed" ? closedHint : await replyForm(visit, found),
        actions: await actionsOf(visit, found, etag),
        calls: callsOf(visit, found),
      }
    : { reply: undefined, actions: undefined, calls: [] };

const sends = ({ environment }: Visit): string =>
  environment === "live" ? "Send for real" : "Send in the sandbox";

/** What the buttons of the page do. */
function callsOf(visit: Visit, found: Conversation): readonly Call[] {
  const path = conversationApi(visit);
  const call = (does: string, name: string, body: object = {}): Call => [
    does,
    "POST",
    `${path}/${name}`,
    body,
  ];
  const { assignee, last_message: last, status } = found;
  const calls = [
    call(sends(visit), "messages", { text: "Hello" }),
    call("Keep as a note", "notes", { text: "For us" }),
  ];
  if (found.unread > 0 && last !== null)
    calls.push(call("Mark as read", "read", { up_to: last.id }));
  if (assignee !== null) calls.push(call("Take it from its agent", "unassign"));
  if (status === "closed") return [...calls, call("Reopen", "reopen")];
  if (status === "snoozed") calls.push(call("Wake it", "reopen"));
  return [
    ...calls,
    call("Close", "close"),
    call("Assign", "assign", { agent_id: visit.who.id }),
    call("Snooze", "snooze", { until: new Date(Date.now() + hourMs).toISOString() }),
  ];
}

const closedHint = html`<p class="hint">It is closed. An answer goes out all the same; reopen it to have it in the inbox.</p>`;

async function templatesFor(
  { api, who }: Visit,
  channel: string,
): Promise<{ readonly slugs: readonly string[]; readonly more: boolean }> {
  if (!hasScope(who.scopes, "templates:read")) return { slugs: [], more: false };
  const { data, more } = await allOf<TemplateSummary>(api, "/templates", { channel });
  return { slugs: [...new Set(data.map(({ slug }) => slug))], more };
}

async function variablesOf(visit: Visit, channel: string, slug: string): Promise<Html | undefined> {
  if (slug === "") return undefined;
  const { form, api } = visit;
  const found = await findTemplate(api, slug, channel);
  // The answer itself will say what is wrong with it.
  if (found === undefined) return undefined;
  return html`<fieldset><legend>Variables of ${slug}</legend>${Object.entries(found.variables).map(
    ([name, { type }]) =>
      field({
        name: `variables[${name}]`,
        label: name,
        value: form.exact(`variables[${name}]`),
        hint: type,
      }),
  )}</fieldset>`;
}

async function replyForm(visit: Visit, { id, channel }: Conversation): Promise<Html> {
  const { form, query } = visit;
  const slug = form.text("template") || query.text("template");
  const { slugs, more } = await templatesFor(visit, channel);
  const at = conversationPath(id);
  return html`<form class="sheet reply" method="post" action="${at}/reply">${once(visit)}<input type="hidden" name="channel" value="${channel}">
${channel === "email" && field({ name: "subject", label: "Subject", value: form.text("subject"), hint: "Left empty, it answers the last one." })}
${field({ name: "text", label: "Your answer", value: form.exact("text"), rows: 4, hint: slugs.length > 0 ? "Left empty with a template." : undefined })}
${
  slugs.length > 0 &&
  html`<details${slug !== "" && html` open`}><summary>Answer with a template</summary><div class="row">${templateField(slug, { slugs, more, none: "none" })}${field({ name: "language", label: "Language", value: form.text("language") })}</div>
<p class="actions"><button type="submit" formmethod="get" formaction="${at}" formnovalidate>Show its variables</button></p>
${await variablesOf(visit, channel, slug)}</details>`
}
<div class="actions"><button class="main" type="submit">${sends(visit)}</button><button type="submit" name="note" value="1">Keep as a note</button></div></form>`;
}

/** Times stand in the form as they were when it was shown, so that a form that is posted twice says the same. */
const rests = (nowMs: number): readonly (readonly [string, string])[] =>
  [
    [1, "an hour"],
    [4, "four hours"],
    [24, "a day"],
    [72, "three days"],
    [168, "a week"],
  ].map(([hours, label]) => [
    new Date(nowMs + Number(hours) * hourMs).toISOString(),
    String(label),
  ]);

type Assignees = { readonly options: readonly [string, string][]; readonly more: boolean };

async function assignees({ api, who, environment }: Visit): Promise<Assignees> {
  const mine: [string, string] = [who.id, `${who.name} (you)`];
  const routing: [string, string] = ["", "whom routing finds"];
  if (!hasScope(who.scopes, "agents:read")) return { options: [mine, routing], more: false };
  const { data, more } = await allOf<Agent>(api, "/agents", { status: "active" });
  const others = data.filter(
    ({ id, role, environments }) =>
      id !== who.id && role !== "viewer" && environments.includes(environment),
  );
  const named = others.map(({ id, name }): [string, string] => [id, name]);
  return { options: [mine, routing, ...named], more };
}

async function actionsOf(
  visit: Visit,
  found: Conversation,
  etag: string | undefined,
): Promise<Html> {
  const at = conversationPath(found.id);
  const seen = etag === undefined ? {} : { etag };
  const last = found.last_message;
  const people = await assignees(visit);
  return html`<section aria-labelledby="do"><h2 id="do">Do</h2>
<div class="actions">${found.unread > 0 && last !== null && button(visit, `${at}/read`, "Mark as read", { fields: { up_to: last.id } })}${found.assignee !== null && button(visit, `${at}/unassign`, "Take it from its agent", seen)}${found.status === "closed" ? button(visit, `${at}/reopen`, "Reopen") : button(visit, `${at}/close`, "Close", seen)}${found.status === "snoozed" && button(visit, `${at}/reopen`, "Wake it")}</div>
${
  found.status !== "closed" &&
  html`<form class="sheet inline" method="post" action="${at}/assign">${once(visit, etag)}${field({ name: "agent_id", label: "Give it to", value: found.assignee?.id ?? visit.who.id, options: people.options, ...(people.more && { hint: notAll }) })}<div class="actions"><button type="submit">Assign</button></div></form>
<form class="sheet inline" method="post" action="${at}/snooze">${once(visit, etag)}${field({ name: "until", label: "Let it rest for", options: rests(Date.now()), hint: "Or until the person writes." })}<div class="actions"><button type="submit">Snooze</button></div></form>`
}</section>`;
}

const open = (visit: Visit, problem?: Problem): Promise<Shown> => show(visit, draw, problem);

/** One call for a conversation, and back to it. */
const act =
  (name: string, told: string, bodyOf: (visit: Visit) => object | undefined = () => undefined) =>
  (visit: Visit): Promise<Shown | Led> =>
    acted(
      visit,
      async (given) => {
        const body = bodyOf(visit);
        const path = `${conversationApi(visit)}/${name}`;
        await visit.api.send("POST", path, { ...(body !== undefined && { body }), ...given });
        return { to: conversationPath(visit.params["id"]!), told };
      },
      (problem) => open(visit, problem),
    );

async function answerOf({ api, form }: Visit): Promise<Readonly<Record<string, unknown>>> {
  const variables = await typedIn(api, form);
  const given = ["subject", "template", "language"].flatMap((name) =>
    form.text(name) === "" ? [] : [[name, form.text(name)]],
  );
  return {
    ...Object.fromEntries(given),
    ...(form.text("text") !== "" && { text: form.exact("text") }),
    ...(Object.keys(variables).length > 0 && { variables }),
  };
}

/** Variables of the template that the form names, if it names one: the channel is the conversation's. */
async function typedIn(
  api: Visit["api"],
  form: Visit["form"],
): Promise<ReturnType<typeof typedVariables>> {
  const found = await findTemplate(api, form.text("template"), form.text("channel"));
  return typedVariables(form.map("variables"), found?.variables);
}

/** Without an end in time it is the accepted message, which has no error. */
type Outcome = Pick<Answers["SettledReply"], "status" | "error">;

const unhappy = new Set(["failed", "rejected", "expired", "bounced", "canceled"]);
const outcomeOf = ({ status, error }: Outcome): string =>
  unhappy.has(status)
    ? `Your answer was not sent: it is ${status}${error === undefined ? "" : `, with ${error.code}`}.`
    : status === "queued" || status === "scheduled"
      ? "Your answer is on its way."
      : `Your answer is ${status}.`;

/** Waits until an answer is sent or failed; a note goes to nobody. */
const reply = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      const { api, form, params } = visit;
      const to = conversationPath(params["id"]!);
      const path = conversationApi(visit);
      if (form.has("note")) {
        // A key of its own: after Back the same form may still be sent as an answer.
        const body = { text: form.exact("text") };
        await api.send("POST", `${path}/notes`, { body, key: `${key}-note` });
        return { to, told: "The note is kept. The person does not see it." };
      }
      const asked = { body: await answerOf(visit), key, waitSeconds };
      const sent = await api.send<Outcome>("POST", `${path}/messages`, asked);
      return { to, told: outcomeOf(sent) };
    },
    (problem) => open(visit, problem),
  );

const post = (name: string, answer: Page["answer"]): Page => ({
  method: "POST",
  path: `/conversations/:id/${name}`,
  section: "/conversations",
  answer,
});

export const conversationActions: readonly Page[] = [
  {
    method: "GET",
    path: "/conversations/:id",
    live: true,
    section: "/conversations",
    answer: (visit) => open(visit),
  },
  post("reply", reply),
  post("close", act("close", "Closed.")),
  post("reopen", act("reopen", "It is open again.")),
  post("unassign", act("unassign", "Nobody has it now.")),
  post(
    "assign",
    act("assign", "Assigned.", ({ form }) =>
      form.text("agent_id") === "" ? {} : { agent_id: form.text("agent_id") },
    ),
  ),
  post(
    "snooze",
    act("snooze", "It rests.", ({ form }) => ({ until: form.text("until") })),
  ),
  post(
    "read",
    act("read", "Read.", ({ form }) => ({ up_to: form.text("up_to") })),
  ),
];
