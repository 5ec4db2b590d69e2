import { html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { base, shown, type Page, type Shown, type Visit } from "../page.ts";
import { curl, empty, facts, pill, table } from "../view/parts.ts";

type Limits = Answers["Limits"];
type Policy = Limits["policies"][number];

const meanings: Readonly<Record<string, string>> = {
  requests: "Requests, sustained",
  burst: "Requests at once",
  messages: "Messages",
  day: "Messages of a day",
};

const spanOf = (seconds: number): string =>
  seconds === 86_400 ? "a day" : seconds === 1 ? "a second" : `${seconds} seconds`;

async function limits(visit: Visit): Promise<Shown> {
  const found = await visit.api.get<Limits>("/limits");
  const { recipient_rate: rate, allowed_countries: countries } = found;
  return shown(
    "Limits",
    html`<p>What you may do, and what is left of it at this moment. Answers carry the same figures as <code>RateLimit</code> headers; what is over a limit is answered with 429 and when to try again.</p>
${
  found.policies.length === 0
    ? empty("No limit", "Nothing is limited here but by the money in the wallet.")
    : table(
        "Limits and what is left of them",
        [
          { label: "What", cell: ({ name }: Policy) => meanings[name] ?? name },
          { label: "At most", figures: true, cell: ({ limit }: Policy) => limit },
          { label: "In", cell: ({ window_seconds }: Policy) => spanOf(window_seconds) },
          {
            label: "Left",
            cell: ({ name, limit, remaining }: Policy) =>
              html`<meter min="0" max="${limit}" value="${remaining}" aria-label="Left of ${meanings[name] ?? name}">${remaining}</meter> ${remaining}`,
          },
          {
            label: "Full again in",
            figures: true,
            cell: ({ reset_seconds }: Policy) => `${reset_seconds} s`,
          },
        ],
        found.policies,
      )
}
${facts([
  ["Account", pill(found.status)],
  [
    "To one recipient",
    rate === null ? "no limit" : `${rate.messages} in ${spanOf(rate.window_seconds)}`,
  ],
  ["Countries", countries === null ? "all" : countries.join(", ")],
])}
<p class="small">Limits of spending stand with the <a href="${base}/wallet">wallet</a>. Others are set by whoever runs the platform.</p>
${curl(visit, "GET", "/limits")}`,
  );
}

export const limitPages: readonly Page[] = [
  { method: "GET", path: "/limits", section: "/limits", answer: limits },
];
