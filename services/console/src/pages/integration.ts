import { randomUUID } from "node:crypto";
import { hasScope } from "@heliograph/api";
import { html, type Html } from "@heliograph/html";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import type { Answers } from "../answers.ts";
import type { List } from "../shapes.ts";
import { bdi, curl, empty, facts, hidden, pages, pill, table, time } from "../view/parts.ts";
import { listPage } from "./lists.ts";

type Endpoint = Answers["WebhookEndpoint"];
type Delivery = Answers["WebhookDelivery"];

const webhooks = listPage<Endpoint>({
  path: "/webhooks",
  title: "Webhooks",
  from: "/webhook-endpoints",
  columns: () => [
    {
      label: "Where to",
      cell: ({ id, url }) => html`<a href="${base}/webhooks/${id}">${bdi(url)}</a>`,
    },
    { label: "Status", cell: ({ status }) => pill(status) },
    {
      label: "What",
      cell: ({ event_types }) => (event_types.length === 0 ? "everything" : event_types.join(", ")),
    },
    { label: "Since", cell: ({ created_at }) => time(created_at) },
  ],
  none: [
    "No endpoint yet",
    html`An endpoint is an address of yours that is told what happens, signed and until it answers. <code>POST /webhook-endpoints</code> with its <code>url</code> makes one.`,
  ],
});

const lastOf = ({ attempts }: Delivery): string => {
  const last = attempts.at(-1);
  if (last === undefined) return "not tried yet";
  return `${last.status_code ?? last.error ?? "no answer"}, ${Math.round(last.duration_ms)} ms, attempt ${attempts.length}`;
};

const retryForm = (visit: Visit, endpoint: string, { id }: Delivery): Html =>
  html`<form method="post" action="${base}/webhooks/${endpoint}/retry">${hidden(visit)}<input type="hidden" name="key" value="${randomUUID()}"><button type="submit" name="delivery" value="${id}" aria-label="Send ${id} again">Again</button></form>`;

async function endpoint(visit: Visit): Promise<Shown> {
  const { api, params, query, who } = visit;
  const id = params["id"]!;
  const path = `/webhook-endpoints/${encodeURIComponent(id)}`;
  const [found, deliveries] = await Promise.all([
    api.get<Endpoint>(path),
    api.get<List<Delivery>>(`${path}/deliveries`, {
      limit: 25,
      after: query.text("after"),
      before: query.text("before"),
    }),
  ]);
  const may = hasScope(who.scopes, "webhooks:write");
  return shown(
    "Endpoint",
    html`<p class="lead">${pill(found.status)} ${bdi(found.url)}</p>
${found.disabled_reason !== null && html`<div class="refusal"><p>${found.disabled_reason}</p></div>`}
${facts([
  ["Id", html`<code>${found.id}</code>`],
  ["What it is told", found.event_types.length === 0 ? "everything" : found.event_types.join(", ")],
  ["Description", bdi(found.description)],
])}
<section aria-labelledby="deliveries"><h2 id="deliveries">Deliveries</h2>
${
  deliveries.data.length === 0
    ? empty("Nothing was sent here yet", "The next event is; POST …/test sends one now.")
    : table(
        "Deliveries, newest first",
        [
          { label: "Event", cell: ({ type }) => type },
          { label: "Status", cell: ({ status }) => pill(status) },
          { label: "Last answer", cell: (row) => lastOf(row) },
          { label: "Made", cell: ({ created_at }) => time(created_at) },
          { label: "Next attempt", cell: ({ next_attempt_at }) => time(next_attempt_at) },
          ...(may
            ? [{ label: "Send again", cell: (row: Delivery) => retryForm(visit, id, row) }]
            : []),
        ],
        deliveries.data,
      )
}
${pages(`${base}/webhooks/${id}`, {}, deliveries)}</section>
${curl(visit, "GET", `${path}/deliveries`)}`,
  );
}

async function retry({ api, form, params }: Visit): Promise<Led> {
  const delivery = form.text("delivery");
  await api.send("POST", `/webhook-deliveries/${encodeURIComponent(delivery)}/retry`, {
    body: {},
    key: form.text("key") || randomUUID(),
  });
  return { to: `${base}/webhooks/${params["id"]}`, told: `${delivery} is sent again.` };
}

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

export const integrationPages: readonly Page[] = [
  webhooks,
  { method: "GET", path: "/webhooks/:id", section: "/webhooks", answer: endpoint },
  { method: "POST", path: "/webhooks/:id/retry", section: "/webhooks", answer: retry },
  { method: "GET", path: "/events", section: "/events", answer: events },
];
