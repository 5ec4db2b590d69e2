import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { Refused, type Problem } from "../client.ts";
import { base, shown, type Handed, type Page, type Shown, type Visit } from "../page.ts";
import type { UsageRow } from "../shapes.ts";
import { barChart, type Bar } from "../view/chart.ts";
import {
  bdi,
  curl,
  empty,
  field,
  money,
  position,
  refusal,
  table,
  type Column,
} from "../view/parts.ts";

const section = "/usage";
const home = `${base}${section}`;
const groups = ["day", "channel", "country", "status", "gateway", "template", "tag", "hour"];
const dayMs = 86_400_000;

const outcomes = [
  { name: "delivered", look: "good" },
  { name: "under way", look: "going" },
  { name: "lost", look: "bad" },
] as const;

const partsOf = (rows: readonly UsageRow[]): readonly number[] => {
  const sum = (count: (row: UsageRow) => number): number =>
    rows.reduce((all, row) => all + count(row), 0);
  const delivered = sum((row) => row.delivered);
  const lost = sum((row) => row.failed + row.bounced + row.expired + row.rejected);
  return [delivered, Math.max(0, sum((row) => row.accepted) - delivered - lost), lost];
};

/** Every day of the range in its order, empty ones among them. */
function daysOf({ data, from, to }: Answers["Usage"]): readonly Bar[] {
  const first = Date.parse(from);
  const days = Math.min(366, Math.ceil((Date.parse(to) - first) / dayMs));
  return Array.from({ length: days }, (_, index) => {
    const day = new Date(first + index * dayMs).toISOString().slice(0, 10);
    return { label: day.slice(5), parts: partsOf(data.filter((row) => row.day === day)) };
  });
}

const charts = (
  byDay: Answers["Usage"],
  byChannel: Answers["Usage"],
  byStatus: Answers["Usage"],
): Html => {
  const named = (rows: readonly UsageRow[], name: "channel" | "status"): readonly string[] => [
    ...new Set(rows.map((row) => row[name] ?? "none")),
  ];
  const perChannel = named(byChannel.data, "channel").map((label) => ({
    label,
    parts: partsOf(byChannel.data.filter((row) => row.channel === label)),
  }));
  const perStatus = named(byStatus.data, "status").map((label) => ({
    label,
    parts: [
      byStatus.data
        .filter((row) => row.status === label)
        .reduce((sum, { accepted }) => sum + accepted, 0),
    ],
  }));
  const nothing = "No message is counted in this time.";
  return html`${barChart("days", "Messages by day", outcomes, daysOf(byDay), { column: "Day, UTC", nothing })}
<div class="two">${barChart("channels", "Messages by channel", outcomes, perChannel, { column: "Channel", nothing })}
${barChart("statuses", "Messages by status", [{ name: "messages", look: "going" }], perStatus, { column: "Status", nothing })}</div>`;
};

const ms = (value: number | null): string => (value === null ? "–" : `${Math.round(value)} ms`);

const columnsOf = (by: readonly string[]): readonly Column<UsageRow>[] => [
  ...by.map((name) => ({
    label: name[0]!.toUpperCase() + name.slice(1),
    cell: (row: UsageRow) => bdi((row as Readonly<Record<string, unknown>>)[name] as string | null),
  })),
  ...(["accepted", "sent", "delivered", "read", "failed", "segments"] as const).map((name) => ({
    label: name[0]!.toUpperCase() + name.slice(1),
    figures: true,
    cell: (row: UsageRow) => row[name],
  })),
  { label: "Cost", figures: true, cell: ({ cost, currency }) => money(cost, currency) },
  {
    label: "Sent to delivered, half / 95 %",
    figures: true,
    cell: ({ latency_ms: { sent_to_delivered: took } }) => `${ms(took.p50)} / ${ms(took.p95)}`,
  },
];

type Range = { readonly from: string; readonly to: string; readonly group_by: string };

const rangeOf = ({ query }: Visit): Range => ({
  from: query.text("from"),
  to: query.text("to"),
  group_by: query.text("group_by") || "day",
});

const filters = (range: Range): Html =>
  html`<form class="filters" method="get" action="${home}">
${field({ name: "from", label: "From", value: range.from, type: "date" })}
${field({ name: "to", label: "To, included", value: range.to, type: "date" })}
${field({ name: "group_by", label: "Table by", value: range.group_by, options: [...groups, "day,channel", "channel,status", "country,channel"].map((name) => [name, name.replace(",", " and ")] as const) })}
<div class="actions"><button type="submit">Show</button></div></form>`;

async function usage(visit: Visit): Promise<Shown> {
  const range = rangeOf(visit);
  try {
    return await counted(visit, range);
  } catch (error) {
    // The filters stay, so that they can be mended.
    if (!(error instanceof Refused) || error.problem.status !== 422) throw error;
    return mistaken(range, error.problem);
  }
}

const mistaken = (range: Range, problem: Problem): Shown =>
  shown("Usage", html`${refusal(problem)}${filters(range)}`, problem.status);

async function counted(visit: Visit, range: Range): Promise<Shown> {
  const { from, to, group_by } = range;
  const ask = (by: string): Promise<Answers["Usage"]> =>
    visit.api.get<Answers["Usage"]>("/usage", { from, to, group_by: by });
  const [byDay, byChannel, byStatus, found] = await Promise.all([
    ask("day"),
    ask("channel"),
    ask("status"),
    ask(group_by),
  ]);
  const given = Object.entries(range).filter(([, value]) => value !== "");
  const search = new URLSearchParams(given).toString();
  return shown(
    "Usage",
    html`${filters(range)}
${
  found.data.length === 0
    ? empty(
        "Nothing was sent in this time",
        html`<a href="${base}/send">Send a message</a>, and it is counted here within a second.`,
      )
    : html`${charts(byDay, byChannel, byStatus)}
<section aria-labelledby="rows"><h2 id="rows">Counts and costs</h2><p class="bar"><a download href="${home}/usage.csv?${search}">Download as CSV</a><span class="hint">as of ${position(found.as_of_position)}</span></p>
${table(`Usage by ${group_by.replace(",", " and ")}`, columnsOf(group_by.split(",")), found.data)}
${found.next_cursor !== null && html`<p class="hint">There is more than fits here: the file has all of it.</p>`}</section>`
}
${curl(visit, "GET", `/usage?${search}`)}`,
  );
}

const csv = async (visit: Visit): Promise<Handed> => ({
  file: await visit.api.download("/usage", { ...rangeOf(visit), format: "csv" }),
});

export const usagePages: readonly Page[] = [
  { method: "GET", path: "/usage", section, answer: usage },
  { method: "GET", path: "/usage/usage.csv", section, answer: csv },
];
