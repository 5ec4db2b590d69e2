import { html, type Html } from "@heliograph/html";

type Step = { readonly who: string; readonly does: string; readonly event: string };

const steps: readonly Step[] = [
  { who: "ingress", does: "accepts", event: "MessageRequested" },
  { who: "wallet", does: "holds funds", event: "FundsHeld" },
  { who: "dispatch", does: "sends", event: "MessageSent" },
  { who: "wallet", does: "captures", event: "FundsCaptured" },
  { who: "delivery", does: "reads receipts", event: "MessageDelivered" },
  { who: "webhooks", does: "tell you", event: "message.delivered" },
];

const [width, gap, logY] = [150, 12, 150];
const left = (index: number): number => 10 + index * (width + gap);

const box = ({ who, does, event }: Step, index: number): Html => {
  const x = left(index);
  const middle = x + width / 2;
  const last = index === steps.length - 1;
  return html`<rect class="box" x="${x}" y="10" width="${width}" height="62" rx="10"></rect><text class="who" x="${middle}" y="37">${who}</text><text class="does" x="${middle}" y="58">${does}</text>${
    last
      ? html`<path class="arrow" d="M${middle} ${logY - 4}V78" marker-end="url(#tip)"></path>`
      : html`<path class="arrow" d="M${middle} 72V${logY - 8}" marker-end="url(#tip)"></path>`
  }<circle class="dot" cx="${middle}" cy="${logY + 10}" r="6"></circle><text class="event" x="${middle}" y="${logY + 42}">${event}</text>`;
};

/** The life of a message along the log, as a picture that scales; the table beside it on its page says the same in words. */
export function journey(): Html {
  const right = left(steps.length - 1) + width;
  return html`<figure class="journey" tabindex="0"><svg viewBox="0 0 ${right + 10} 210" role="img" aria-labelledby="journey-title journey-more"><title id="journey-title">The life of a message</title><desc id="journey-more">Each step appends an event to the log, and the next one reads it: ${steps.map(({ who, does, event }) => `${who} ${does}, ${event}`).join("; ")}.</desc><defs><marker id="tip" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path class="tip" d="M0 0 10 5 0 10z"></path></marker></defs><path class="log" d="M10 ${logY + 10}H${right}"></path>${steps.map(box)}</svg></figure>`;
}
