import { html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { base, shown, type Page, type Shown, type Visit } from "../page.ts";
import { curl, empty, table, time } from "../view/parts.ts";

async function events(visit: Visit): Promise<Shown> {
  const { api, query } = visit;
  const after = query.text("after");
  const found = await api.get<Answers["LifecycleEventPage"]>("/events", {
    after: after === "" ? 0 : after,
    types: query.text("types"),
    limit: 50,
  });
  const last = found.data.at(-1)?.sequence;
  return shown(
    "Events",
    html`<p>What is told to the outside, in its order: the same to webhooks, to the feed and to topics.</p>
${
  found.data.length === 0
    ? empty(
        "Nothing after this",
        html`Whatever happens next is here, and at your endpoints. <a href="${base}/events">From the beginning</a>`,
      )
    : table(
        "Events in their order",
        [
          { label: "Event", cell: ({ type }) => type },
          { label: "Sequence", figures: true, cell: ({ sequence }) => sequence },
          { label: "When", cell: ({ timestamp }) => time(timestamp) },
          {
            label: "Data",
            cell: ({ data, sequence }) =>
              html`<details><summary>Data of ${sequence}</summary><pre tabindex="0"><code>${JSON.stringify(data, null, 2)}</code></pre></details>`,
          },
        ],
        found.data,
      )
}
${last !== undefined && html`<nav class="pages" aria-label="Pages of the feed"><a href="${base}/events">From the beginning</a><a rel="next" href="${base}/events?after=${last}">After ${last}</a></nav>`}
${curl(visit, "GET", `/events?after=${after === "" ? "0" : after}`)}`,
  );
}

export const eventPages: readonly Page[] = [
  { method: "GET", path: "/events", section: "/events", answer: events },
];
