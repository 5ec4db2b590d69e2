import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import type { Visit } from "../page.ts";
import { curl, facts, table, time } from "../view/parts.ts";

type Statistics = Answers["WebhookStatistics"];
type Window = Statistics["windows"][number];

const spans: Readonly<Record<Window["window"], string>> = {
  "1h": "An hour",
  "24h": "A day",
  "7d": "A week",
  "30d": "30 days",
};
const percent = (rate: number | null): string =>
  rate === null ? "nothing was sent" : `${(rate * 100).toFixed(2)}\u00a0%`;
const duration = (ms: number | null): string => (ms === null ? "–" : `${Math.round(ms)}\u00a0ms`);

/** The commonest first. */
const errorsTold = ({ errors }: Window): string =>
  Object.entries(errors)
    .toSorted(([, left], [, right]) => right - left)
    .map(([name, count]) => `${count}\u00a0×\u00a0${name}`)
    .join(", ") || "none";

/** The section of an endpoint's page. */
export async function statisticsOf(visit: Visit): Promise<Html> {
  const path = `/webhook-endpoints/${encodeURIComponent(visit.params["id"]!)}/statistics`;
  const { windows, waiting } = await visit.api.get<Statistics>(path);
  return html`<section aria-labelledby="statistics"><h2 id="statistics">How it does</h2>
${table(
  "Attempts over the last hour, day, week and month",
  [
    { label: "Over", cell: ({ window }: Window) => spans[window] },
    { label: "Attempts", figures: true, cell: ({ attempts }: Window) => attempts },
    {
      label: "Answered 2xx",
      figures: true,
      cell: ({ success_rate }: Window) => percent(success_rate),
    },
    {
      label: "Half within",
      figures: true,
      cell: ({ duration_ms }: Window) => duration(duration_ms.p50),
    },
    {
      label: "95 % within",
      figures: true,
      cell: ({ duration_ms }: Window) => duration(duration_ms.p95),
    },
    { label: "Errors", cell: errorsTold },
  ],
  windows,
)}
${facts([
  ["Waiting", waiting.count],
  ["The oldest is of", waiting.oldest_at === null ? "nothing waits" : time(waiting.oldest_at)],
  ["Next attempt", waiting.next_attempt_at === null ? "none" : time(waiting.next_attempt_at)],
])}
${curl(visit, "GET", path)}</section>`;
}
