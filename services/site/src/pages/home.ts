import type { Entry, Origins } from "../entry.ts";
import { html, type Html } from "@heliograph/html";
import { journey } from "./journey.ts";

const promises: readonly {
  readonly title: string;
  readonly text: string;
  readonly path: string;
}[] = [
  {
    title: "A 202 is on disk",
    text: "The answer comes after the event is durable, never before. Kill any process anywhere: its successor goes on from the log.",
    path: "/docs/concepts/guarantees",
  },
  {
    title: "Once, however often you ask",
    text: "The same Idempotency-Key is the same message, for ever. A retry after a time-out gets the first answer.",
    path: "/docs/concepts/idempotency",
  },
  {
    title: "Money that adds up",
    text: "Funds are held, then captured or given back, exactly once. A proof recomputes your balance from the log whenever you ask.",
    path: "/docs/concepts/money",
  },
  {
    title: "Every decision has a reason",
    text: "Each message has a timeline: which gateway, why that one, what it answered, what was tried next, and at which position of the log.",
    path: "/docs/guides/looking-back",
  },
  {
    title: "A sandbox that is the real thing",
    text: "The same code on databases of its own. The last digits of a number choose the outcome, and its clock is yours to advance.",
    path: "/docs/guides/sandbox",
  },
  {
    title: "Forgotten means forgotten",
    text: "Personal texts are encrypted in the log. Erasing a contact destroys the keys, so no old copy can be read either.",
    path: "/docs/concepts/erasure",
  },
];

const example = (api: string): string =>
  `curl ${api}/api/v1/messages \\
  -H "Authorization: Bearer $API_KEY" \\
  -H 'Content-Type: application/json' \\
  -H 'Idempotency-Key: order-204821' \\
  -d '{"channel":"sms","to":"+15551230001",
       "text":"Your order is on its way."}'`;

const steps: readonly (readonly [string, string, string])[] = [
  ["3", "MessageRequested", "on disk before the 202"],
  ["4", "FundsHeld", "0.0079 USD set aside"],
  ["5", "MessageSent", "the only gateway of the channel"],
  ["6", "FundsCaptured", "charged"],
  ["8", "MessageDelivered", "the provider confirmed"],
];

const hero = ({ api }: Origins): Html =>
  html`<div class="hero"><div class="wide"><div><p class="eyebrow">Messaging over an event log</p><h1>Every message, accounted for.</h1><p class="lead">SMS, WhatsApp, e-mail and more through one REST API. What happened to a message, what it cost and why, is read from one log, and can be computed again from it.</p><p class="acts"><a class="button" href="/evaluation">Ask for an evaluation</a> <a class="button quiet" href="/docs/guides/first-message">Send a first message</a></p></div><div class="demo"><pre tabindex="0"><code>${example(api)}</code></pre><table><caption>What the log says of it two tenths of a second later</caption><thead><tr><th scope="col">Position</th><th scope="col">Event</th><th scope="col">Why</th></tr></thead><tbody>${steps.map(
    ([position, type, why]) =>
      html`<tr><td>${position}</td><td><code>${type}</code></td><td>${why}</td></tr>`,
  )}</tbody></table></div></div></div>`;

export function homeOf(origins: Origins): Entry {
  const body = (): Html =>
    html`${hero(origins)}<section class="wide"><h2>What it promises</h2><ul class="cards">${promises.map(
      ({ title, text, path }) =>
        html`<li><h3><a href="${path}">${title}</a></h3><p>${text}</p></li>`,
    )}</ul></section><section class="wide"><h2>One message, start to end</h2>${journey()}<p><a href="/how-it-works">How it works, step by step</a></p></section><section class="wide split"><div><h2>People answer</h2><p>What they write back becomes a contact and a conversation, whatever the channel. Agents answer through the API, in the console or from an app; a STOP is obeyed by itself.</p><p><a href="/docs/guides/conversations">Conversations</a></p></div><div><h2>Yours to run</h2><p>One command starts all of it on an embedded PostgreSQL. In production each service is a process of its own, any number beside each other, on your PostgreSQL, EventStoreDB or Kafka.</p><p><a href="/docs/operating/deploying">Deploying</a></p></div><div><h2>Measured, in the open</h2><p>What it does in a second, what that costs, and which goals it misses so far, with the command that measures it again.</p><p><a href="/docs/performance">Performance</a></p></div></section>`;
  return {
    path: "/",
    title: "every message, accounted for",
    description:
      "A messaging platform over an event log: SMS, WhatsApp, e-mail and more through one REST API, with money that adds up and a reason for every decision.",
    source: String(body()),
    kind: "SoftwareApplication",
    body,
  };
}
