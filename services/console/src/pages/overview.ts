import { hasScope } from "@heliograph/api";
import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { base, shown, type Page, type Shown, type Visit } from "../page.ts";
import type { Entry, List, MessageSummary } from "../shapes.ts";
import { live } from "../live/region.ts";
import { barChart, rowChart, type Bar, type Row } from "../view/chart.ts";
import { curl, empty, field, money } from "../view/parts.ts";
import { messageTable } from "../view/message-table.ts";

type Overview = Answers["Overview"];

const windows = [
  ["15", "15 minutes"],
  ["60", "60 minutes"],
  ["360", "6 hours"],
  ["1440", "24 hours"],
] as const;
const mostBars = 60;

/** Minutes together, so that a day is as many bars as an hour. */
function barsOf({ throughput }: Overview): readonly Bar[] {
  const size = Math.ceil(throughput.length / mostBars);
  return Array.from({ length: Math.ceil(throughput.length / size) }, (_, index) => {
    const rows = throughput.slice(index * size, (index + 1) * size);
    const sum = (count: (row: (typeof rows)[number]) => number): number =>
      rows.reduce((all, row) => all + count(row), 0);
    return {
      label: rows[0]!.minute.slice(11, 16),
      parts: [sum((row) => row.delivered), sum((row) => row.under_way), sum((row) => row.lost)],
    };
  });
}

const figure = (label: string, value: Html | string, hint: string): Html =>
  html`<div class="figure"><dt>${label}</dt><dd>${value}</dd><dd class="hint">${hint}</dd></div>`;

const duration = (ms: number | null): string =>
  ms === null ? "–" : ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;

type Percentiles = Overview["latency_ms"]["accepted_to_sent"];

const percentileRows = (what: string, { measured, p50, p95, p99 }: Percentiles): readonly Row[] =>
  measured === 0
    ? []
    : (
        [
          ["half", p50],
          ["95 of 100", p95],
          ["99 of 100", p99],
        ] as const
      ).map(([share, ms]) => ({
        label: `${what}: ${share} within`,
        value: ms ?? 0,
        text: duration(ms),
        look: "going",
      }));

const latencyChart = ({ latency_ms: { accepted_to_sent, sent_to_delivered } }: Overview): Html =>
  rowChart(
    "latency",
    "How long it took",
    [
      ...percentileRows("To the provider", accepted_to_sent),
      ...percentileRows("To the person", sent_to_delivered),
    ],
    {
      column: "Of the newest that a provider took",
      nothing:
        "No provider took a message in this time. When one does, here is how long half of them, 95 and 99 of 100 took.",
    },
  );

const failureChart = ({ failures: { by_code } }: Overview): Html =>
  rowChart(
    "failures",
    "Why messages were lost",
    by_code.slice(0, 8).map(({ code, messages }) => ({
      label: code,
      value: messages,
      text: String(messages),
      look: "bad",
    })),
    {
      column: "Code",
      nothing: html`None was lost in this time. What fails is counted here by its code, each with <a href="/errors">a page of what to do</a>.`,
    },
  );

const mostShown = 6;

/** Those furthest behind; where none is, that is all there is to say. */
const lagChart = ({ lag: { projections } }: Overview): Html =>
  rowChart(
    "lag",
    "How far what you read is behind the log",
    projections
      .filter(({ ms, events }) => ms > 0 || events > 0)
      .toSorted((one, other) => other.ms - one.ms)
      .slice(0, mostShown)
      .map(({ name, events, ms }) => ({
        label: name,
        value: ms,
        text: `${duration(ms)}, ${events} events`,
        look: "going",
      })),
    {
      column: "Read model",
      nothing: `Nothing is behind: all ${projections.length} read models show everything that is in the log.`,
    },
  );

const walletChart = (currency: string, newestFirst: readonly Entry[]): Html => {
  const moves = newestFirst.toReversed();
  const last = newestFirst[0];
  return barChart(
    "wallet",
    `What was available after each of the last moves, in ${currency}`,
    [{ name: "available", look: "good" }],
    moves.map(({ created_at, balance_after }) => ({
      label: created_at.slice(11, 16),
      parts: [Math.max(0, Number(balance_after))],
    })),
    {
      column: "When, UTC",
      ...(last !== undefined && { said: `${last.balance_after} after the last move.` }),
      nothing: html`Nothing is in it. <a href="${base}/wallet">Top it up</a>: each message holds its price until it is sent, and gets it back where it fails.`,
    },
  );
};

/** How the partner does as a whole, for those whose role counts. */
async function counted(visit: Visit, minutes: string): Promise<Html> {
  const { api, who } = visit;
  const [found, moves] = await Promise.all([
    api.get<Overview>("/overview", { minutes }),
    hasScope(who.scopes, "wallet:read")
      ? api.get<List<Entry>>("/wallet/transactions", { limit: 40 })
      : undefined,
  ]);
  const { wallet, failures, lag, latency_ms } = found;
  const sum = (count: (row: Overview["throughput"][number]) => number): number =>
    found.throughput.reduce((all, row) => all + count(row), 0);
  const label = windows.find(([value]) => value === minutes)?.[1] ?? `${minutes} minutes`;
  return html`<dl class="figures-row">
${wallet !== null && figure("Available", money(wallet.available, wallet.currency), `${wallet.held} held for messages on their way`)}
${figure("Accepted", String(sum((row) => row.accepted)), found.complete ? `in the last ${label}` : "the newest of the last " + label)}
${figure("Delivered", String(sum((row) => row.delivered)), latency_ms.sent_to_delivered.p50 === null ? "of those that were accepted" : `half of them ${duration(latency_ms.sent_to_delivered.p50)} after they were sent`)}
${figure("Lost", String(failures.total), "failed, bounced, expired or rejected")}
${figure("Behind the log", duration(lag.ms), `${lag.events} events that lists do not show yet`)}
</dl>
${barChart(
  "throughput",
  `Messages of the last ${label}, by what became of them`,
  [
    { name: "delivered", look: "good" },
    { name: "under way", look: "going" },
    { name: "lost", look: "bad" },
  ],
  barsOf(found),
  {
    column: "From, UTC",
    nothing: html`No message in this time. <a href="${base}/send">Send one</a>, and it is here within a second: first under way, then delivered or lost.`,
  },
)}
<div class="two">${failureChart(found)}${latencyChart(found)}${lagChart(found)}</div>
${wallet !== null && moves !== undefined && walletChart(wallet.currency, moves.data)}`;
}

async function overview(visit: Visit): Promise<Shown> {
  const { api, who, query } = visit;
  const minutes = query.text("minutes") || "60";
  const [charts, latest] = await Promise.all([
    hasScope(who.scopes, "usage:read") ? counted(visit, minutes) : undefined,
    hasScope(who.scopes, "messages:read")
      ? api.get<List<MessageSummary>>("/messages", { limit: 8 })
      : undefined,
  ]);
  return shown(
    "Overview",
    html`${charts !== undefined && html`<form class="filters" method="get" action="${base}">${field({ name: "minutes", label: "Of the last", value: minutes, options: windows })}<div class="actions"><button type="submit">Look</button></div></form>`}
${live("charts", "message", charts)}
${live(
  "latest",
  "message",
  html`<section aria-labelledby="latest"><h2 id="latest">Latest messages</h2>
${
  latest === undefined || latest.data.length === 0
    ? empty(
        "No message yet",
        html`The first one takes a minute: <a href="${base}/send">send it from here</a>, or with the call below. In the sandbox <code>+15551230001</code> always receives, and <code>+15551230003</code> never does.`,
      )
    : messageTable("The newest messages", latest.data)
}</section>`,
)}
${curl(visit, "GET", `/overview?minutes=${minutes}`)}`,
  );
}

export const overviewPages: readonly Page[] = [
  { method: "GET", path: "", section: "", live: true, answer: overview },
];
