import { magicOutcomes } from "@heliograph/channels";
import { html, type Html, type Shown as Cell } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import type { Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import { acted, asked, once } from "../view/forms.ts";
import { curl, field, refusal, table, time, type Column } from "../view/parts.ts";
import { personChannels } from "./messages.ts";

const section = "/sandbox";
const home = `${base}${section}`;
const statuses = ["delivered", "read", "undelivered", "bounced", "deferred", "complained", "sent"];
const leaps = [
  ["60", "a minute"],
  ["3600", "an hour"],
  ["86400", "a day"],
  ["604800", "a week"],
  ["0", "nothing: only say the time"],
] as const;

/** What stands between backticks in the platform's own words. */
const withCode = (text: string): readonly Cell[] =>
  text.split("`").map((part, at) => (at % 2 === 1 ? html`<code>${part}</code>` : part));

const tryIt: Column<(typeof magicOutcomes)[number]> = {
  label: "Try it",
  cell: ({ digits, name }) =>
    html`<a href="${base}/send?channel=sms&to=%2B1555123${digits}" aria-label="Send to ${name}">Send</a>`,
};

const magic = (live: boolean): Html =>
  html`<section aria-labelledby="magic"><h2 id="magic">Recipients that decide</h2><p>In the sandbox the recipient says what happens: the last four digits of a number, a chat or a token, or the part of an address before the <code>@</code>. Any other is delivered.</p>
${table(
  "What a recipient chooses",
  [
    { label: "Digits", cell: ({ digits }) => html`<code>${digits}</code>` },
    { label: "Name", cell: ({ name }) => html`<code>${name}</code>` },
    { label: "What happens", cell: ({ means }) => withCode(means) },
    // In live the same number is somebody's.
    ...(live ? [] : [tryIt]),
  ],
  magicOutcomes,
)}</section>`;

const inboundForm = (visit: Visit): Html => {
  const { form } = visit;
  return html`<section aria-labelledby="inbound"><h2 id="inbound">Write as a person would</h2>
<form class="sheet" method="post" action="${home}/inbound">${once(visit)}<div class="row">
${field({ name: "channel", label: "Channel", value: form.text("channel") || "sms", options: personChannels.filter((name) => name !== "push") })}
${field({ name: "from", label: "From", value: form.text("from"), required: true, placeholder: "+15551234567" })}</div>
<div class="row">${field({ name: "to", label: "To", value: form.text("to"), hint: "Left empty: the inbox of your sandbox." })}
${field({ name: "profile_name", label: "Name of the person", value: form.text("profile_name") })}</div>
${field({ name: "text", label: "Text", value: form.exact("text"), rows: 3, required: true })}
<div class="actions"><button class="main" type="submit">Receive it</button></div></form>
${curl(visit, "POST", "/sandbox/inbound", { channel: "sms", from: "+15551234567", text: "Hello" })}</section>`;
};

const receiptForm = (visit: Visit): Html => {
  const { form } = visit;
  return html`<section aria-labelledby="receipts"><h2 id="receipts">Report as a provider would</h2>
<form class="sheet" method="post" action="${home}/receipts">${once(visit)}
${field({ name: "message_id", label: "Message", value: form.text("message_id") || visit.query.text("message_id"), required: true, placeholder: "msg_…", hint: html`One to <code>…0002</code> waits for what you report.` })}
<div class="row">${field({ name: "status", label: "Status", value: form.text("status"), options: statuses })}
${field({ name: "code", label: "The provider's code", value: form.text("code") })}</div>
<div class="actions"><button class="main" type="submit">Report it</button></div></form>
${curl(visit, "POST", "/sandbox/receipts", { message_id: "msg_…", status: "delivered" })}</section>`;
};

const clockForm = (visit: Visit): Html =>
  html`<section aria-labelledby="clock"><h2 id="clock">Set the clock forward</h2><p>Scheduled messages, retries and snoozes that become due on the way happen, in their order. It goes forward only.</p>
<form class="sheet inline" method="post" action="${home}/clock">${once(visit)}${field({ name: "seconds", label: "By", value: visit.form.text("seconds") || "3600", options: leaps })}<div class="actions"><button class="main" type="submit">Set it</button></div></form>
${curl(visit, "POST", "/sandbox/clock/advance", { seconds: 3600 })}</section>`;

function sandbox(visit: Visit, problem?: Problem): Shown {
  const live = visit.environment === "live";
  return shown(
    "Sandbox",
    html`${problem !== undefined && refusal(problem)}
${
  live
    ? html`<div class="notice"><p>You are looking at live, where nobody is simulated. The switch at the top leads to the sandbox: there you write as a person, report as a provider, and set the clock.</p></div>`
    : html`${inboundForm(visit)}${receiptForm(visit)}${clockForm(visit)}`
}
${magic(live)}
${!live && html`<section aria-labelledby="reset"><h2 id="reset">Begin again</h2><p><a href="${home}/reset">Empty this sandbox</a>: messages, contacts and conversations go, keys and endpoints stay.</p></section>`}`,
    problem?.status,
  );
}

const does =
  (call: (visit: Visit, key: string) => Promise<string>) =>
  (visit: Visit): Promise<Shown | Led> =>
    acted(
      visit,
      async ({ key }) => ({ to: home, told: await call(visit, key) }),
      (problem) => sandbox(visit, problem),
    );

const filled = ({ form }: Visit, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    names.map((name) => [name, form.text(name)] as const).filter(([, value]) => value !== ""),
  );

const inbound = does(async (visit, key) => {
  const body = filled(visit, ["channel", "from", "to", "profile_name", "text"]);
  const { message_id } = await visit.api.send<Answers["AcceptedInbound"]>(
    "POST",
    "/sandbox/inbound",
    { body, key },
  );
  return `Received as ${message_id}.`;
});

const receipt = does(async (visit, key) => {
  const body = filled(visit, ["message_id", "status", "code"]);
  await visit.api.send("POST", "/sandbox/receipts", { body, key });
  return `The provider has reported "${body["status"] ?? ""}" of ${body["message_id"] ?? ""}.`;
});

const clock = does(async (visit, key) => {
  const body = { seconds: Number(visit.form.text("seconds")) };
  const { now } = await visit.api.send<Answers["SandboxClock"]>("POST", "/sandbox/clock/advance", {
    body,
    key,
  });
  return `In your sandbox it is ${now}.`;
});

const question = (visit: Visit, problem?: Problem): Shown =>
  asked(visit, {
    title: "Empty this sandbox?",
    what: html`Messages, contacts, conversations, suppressions, deliveries, usage and transactions are gone, and what is scheduled is not sent. The wallet has what it began with, and the clock shows ${time(new Date().toISOString())}. Keys, endpoints, templates, agents and teams stay, and so does the audit.`,
    action: `${home}/reset`,
    label: "Empty the sandbox",
    call: ["POST", "/sandbox/reset", {}],
    back: home,
    problem,
  });

const reset = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      await visit.api.send("POST", "/sandbox/reset", { body: {}, key });
      return { to: home, told: "Your sandbox is a new, empty one." };
    },
    (problem) => question(visit, problem),
  );

export const sandboxPages: readonly Page[] = [
  { method: "GET", path: "/sandbox", section, answer: async (visit) => sandbox(visit) },
  { method: "POST", path: "/sandbox/inbound", section, answer: inbound },
  { method: "POST", path: "/sandbox/receipts", section, answer: receipt },
  { method: "POST", path: "/sandbox/clock", section, answer: clock },
  { method: "GET", path: "/sandbox/reset", section, answer: async (visit) => question(visit) },
  { method: "POST", path: "/sandbox/reset", section, answer: reset },
];
