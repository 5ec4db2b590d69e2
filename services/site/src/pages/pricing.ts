import { defaultPriceList } from "@heliograph/domain";
import type { Entry } from "../entry.ts";
import type { Live, Prices } from "../live.ts";
import { html, type Html } from "@heliograph/html";

const names: Readonly<Record<string, string>> = {
  sms: "SMS",
  whatsapp: "WhatsApp",
  email: "E-mail",
  push: "Push",
  telegram: "Telegram",
  broadcast: "Broadcast",
};

type Row = Prices["entries"][number];

const row = ({ prefix, category, min_segments, per_segment }: Row, currency: string): Html =>
  html`<tr><th scope="row">${prefix === "" ? "everywhere else" : `numbers that begin with +${prefix}`}${category !== undefined && `, ${category}`}${min_segments !== undefined && `, from ${min_segments} segments`}</th><td class="number">${per_segment} ${currency}</td></tr>`;

function table(channel: string, rows: readonly Row[], { currency }: Prices): Html {
  const sorted = rows.toSorted(
    (one, other) =>
      Number(one.prefix === "") - Number(other.prefix === "") ||
      (one.prefix < other.prefix ? -1 : 1),
  );
  const only = sorted.length === 1 && sorted[0]!.prefix === "";
  return html`<section><h2 id="${channel}">${names[channel] ?? channel}</h2><table><thead><tr><th scope="col">To</th><th scope="col" class="number">${channel === "sms" ? "A segment" : "A message"}</th></tr></thead><tbody>${
    only
      ? html`<tr><th scope="row">everywhere</th><td class="number">${sorted[0]!.per_segment} ${currency}</td></tr>`
      : sorted.map((each) => row(each, currency))
  }</tbody></table></section>`;
}

function body({ prices }: Live): Html {
  // Without an answer nothing is made up.
  if (prices === undefined)
    return html`<h1>Pricing</h1><p class="lead">The price list cannot be read at the moment. Please try again in a minute, or ask for it with a key: <code>GET /api/v1/prices</code>.</p>`;
  const groups = Map.groupBy(prices.entries, ({ channel }) => channel);
  return html`<h1>Pricing</h1><p class="lead">You pay for what is sent, and nothing for what fails. Before each send the price is set aside, and given back when the message does not leave.</p><div class="prices">${[
    ...groups,
  ].map(([channel, rows]) =>
    table(channel, rows, prices),
  )}</div><h2 id="rules"><a href="#rules">How a price is found</a></h2><ul><li>Of a channel’s entries the one with the longest prefix of the number counts, never the cheapest or the first.</li><li>A text message costs its segments; <code>?dry_run=true</code> shows how many before you send.</li><li>A retry costs nothing more. In the sandbox nothing is charged to anybody.</li><li>This is the list <code>${prices.list}</code>, version ${prices.version}; a partner may have one of its own.</li></ul><p><a href="/docs/guides/prices">Prices</a> and <a href="/docs/concepts/money">money</a> in the documentation.</p>`;
}

export const pricing: Entry = {
  path: "/pricing",
  title: "Pricing",
  description:
    "What a message costs in Heliograph by channel and destination, from the price list itself: nothing for what fails.",
  source: String(body({ prices: defaultPriceList })),
  needs: "prices",
  body,
};
