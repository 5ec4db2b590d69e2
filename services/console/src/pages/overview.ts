import { hasScope } from "@heliograph/api";
import { html, type Html } from "@heliograph/html";
import { base, shown, type Page, type Shown, type Visit } from "../page.ts";
import type { Balance, List, MessageSummary, UsageRow } from "../shapes.ts";
import { live } from "../live/region.ts";
import { barChart, type Bar } from "../view/chart.ts";
import { curl, empty, money } from "../view/parts.ts";
import { messageTable } from "../view/message-table.ts";

const hourMs = 3_600_000;
const hours = 24;

/** The hours of the last day in order, empty ones among them. */
function barsOf(rows: readonly UsageRow[], now: number): readonly Bar[] {
  const first = Math.floor(now / hourMs) * hourMs - (hours - 1) * hourMs;
  return Array.from({ length: hours }, (_, index) => {
    const start = new Date(first + index * hourMs).toISOString();
    const found = rows.filter(({ hour }) => hour === start);
    const sum = (count: (row: UsageRow) => number): number =>
      found.reduce((all, row) => all + count(row), 0);
    const delivered = sum((row) => row.delivered);
    const failed = sum((row) => row.failed + row.bounced + row.expired + row.rejected);
    const under = Math.max(0, sum((row) => row.accepted) - delivered - failed);
    return { label: start.slice(11, 16), parts: [delivered, under, failed] };
  });
}

const figure = (label: string, value: Html | string, hint: string): Html =>
  html`<div class="figure"><dt>${label}</dt><dd>${value}</dd><dd class="hint">${hint}</dd></div>`;

const seconds = (ms: number | null | undefined): string =>
  ms === null || ms === undefined
    ? "–"
    : ms < 1_000
      ? `${Math.round(ms)} ms`
      : `${(ms / 1_000).toFixed(1)} s`;

async function overview(visit: Visit): Promise<Shown> {
  const { api, who } = visit;
  const now = Date.now();
  const from = new Date(Math.floor(now / hourMs) * hourMs - (hours - 1) * hourMs).toISOString();
  const ask = <Body>(scope: string, path: string, query = {}): Promise<Body | undefined> =>
    hasScope(who.scopes, scope) ? api.get<Body>(path, query) : Promise.resolve(undefined);
  const [byHour, whole, balance, latest] = await Promise.all([
    ask<{ data: readonly UsageRow[] }>("usage:read", "/usage", { group_by: "hour", from }),
    ask<{ data: readonly UsageRow[] }>("usage:read", "/usage", { from }),
    ask<Balance>("wallet:read", "/balance"),
    ask<List<MessageSummary>>("messages:read", "/messages", { limit: 8 }),
  ]);
  const total = whole?.data[0];
  const lost = total && total.failed + total.bounced + total.expired + total.rejected;
  return shown(
    "Overview",
    html`${live(
      "overview",
      "message",
      html`<dl class="figures-row">
${balance && figure("Available", money(balance.available, balance.currency), `${balance.held} held for messages on their way`)}
${figure("Accepted", String(total?.accepted ?? 0), "in the last 24 hours")}
${figure("Delivered", String(total?.delivered ?? 0), `half of them ${seconds(total?.latency_ms.sent_to_delivered.p50)} after they were sent`)}
${figure("Lost", String(lost ?? 0), "failed, bounced, expired or rejected")}
</dl>
${
  byHour &&
  barChart(
    "day",
    "Messages of the last 24 hours, by what became of them",
    [
      { name: "delivered", look: "good" },
      { name: "under way", look: "going" },
      { name: "lost", look: "bad" },
    ],
    barsOf(byHour.data, now),
  )
}
<section aria-labelledby="latest"><h2 id="latest">Latest messages</h2>
${
  latest === undefined || latest.data.length === 0
    ? empty(
        "No message yet",
        html`The first one takes a minute: <a href="${base}/send">send it from here</a>, or with the call below. In the sandbox <code>+15551230001</code> always receives, and <code>+15551230003</code> never does.`,
      )
    : messageTable("The newest messages", latest.data)
}</section>`,
    )}
${curl(visit, "GET", "/usage?group_by=hour")}`,
  );
}

export const overviewPages: readonly Page[] = [
  { method: "GET", path: "", section: "", answer: overview },
];
