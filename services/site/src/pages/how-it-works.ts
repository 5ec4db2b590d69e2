import type { Entry } from "../entry.ts";
import { html, type Html } from "@heliograph/html";
import { journey } from "./journey.ts";

const rows: readonly (readonly [string, string, string])[] = [
  [
    "Accept",
    "Key, limits, consent, price and a first look at the balance; then the request is appended, and only then comes the 202.",
    "MessageRequested",
  ],
  [
    "Hold",
    "The price is set aside in your wallet. What is not covered is refused before anything is sent.",
    "FundsHeld",
  ],
  [
    "Send",
    "A gateway is chosen by your routing, with the reason on record. A failure that may pass is tried again, by another gateway where there is one.",
    "MessageSent",
  ],
  ["Settle", "The hold is captured once, or given back. Never both.", "FundsCaptured"],
  [
    "Confirm",
    "Receipts arrive late, twice and out of order. The status is the highest one for which there is evidence, so none of that matters.",
    "MessageDelivered",
  ],
  [
    "Tell",
    "Signed webhooks and a feed that resumes anywhere, with the same events under the same numbers.",
    "message.delivered",
  ],
];

const body = (): Html =>
  html`<h1>How it works</h1><p class="lead">One log is the only source of truth. Each service reads it in order and appends what follows; none calls another.</p>${journey()}<h2 id="steps"><a href="#steps">The steps</a></h2><div class="scroll" tabindex="0"><table><thead><tr><th scope="col">Step</th><th scope="col">What happens</th><th scope="col">On the log</th></tr></thead><tbody>${rows.map(
    ([step, what, event]) =>
      html`<tr><th scope="row">${step}</th><td>${what}</td><td><code>${event}</code></td></tr>`,
  )}</tbody></table></div><h2 id="crashes"><a href="#crashes">When something breaks</a></h2><p>A process may die between any two of these. Its successor continues from its checkpoint, and because the ids of what it appends follow from their causes, what was done already is a duplicate and not a second message. Between a provider’s answer and its record there is one moment in which the truth is unknown; it is never silent, and each gateway says whether then to ask, to send again, or not to.</p><h2 id="look"><a href="#look">Look for yourself</a></h2><ul><li><a href="/docs/concepts/message-life">The life of a message</a>, with every status and what follows a failure</li><li><a href="/docs/concepts/log">The log</a> and its promises</li><li><a href="/docs/concepts/guarantees">What must hold</a>, and the test that shows it</li><li><a href="/docs/guides/looking-back">Look back</a> at one message, as of any position</li></ul>`;

export const howItWorks: Entry = {
  path: "/how-it-works",
  title: "How it works",
  description:
    "The life of a message in Heliograph, drawn: accepted, paid for, sent, confirmed and told, each step an event of one log.",
  source: String(body()),
  body,
};
