import { setTimeout as pause } from "node:timers/promises";
import { hasScope } from "@heliograph/api";
import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { Refused } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import type { List } from "../shapes.ts";
import { button, keyOf } from "../view/forms.ts";
import { bdi, curls, empty, facts, field, pages, pill, table, time } from "../view/parts.ts";

type Delivery = Answers["WebhookDelivery"];
type Attempt = Delivery["attempts"][number];

const section = "/webhooks";
const pageOf = ({ params }: Visit): string =>
  `${base}/webhooks/${encodeURIComponent(params["id"]!)}`;
const statuses = ["pending", "delivered", "failed", "discarded"];

const answered = ({ status_code, error }: Attempt): string =>
  String(status_code ?? error ?? "no answer");

const lastOf = ({ attempts }: Delivery): string => {
  const last = attempts.at(-1);
  if (last === undefined) return "not tried yet";
  return `${answered(last)}, ${Math.round(last.duration_ms)}\u00a0ms, attempt\u00a0${attempts.length}`;
};

const again = (visit: Visit, { id }: Pick<Delivery, "id">, label: string): Html =>
  button(visit, `${pageOf(visit)}/deliveries/${id}/retry`, label, { about: `(${id})` });

/** The section of an endpoint's page. */
export async function deliveriesOf(visit: Visit): Promise<Html> {
  const { api, params, query, who } = visit;
  const status = query.text("status");
  const found = await api.get<List<Delivery>>(
    `/webhook-endpoints/${encodeURIComponent(params["id"]!)}/deliveries`,
    { limit: 25, status, after: query.text("after"), before: query.text("before") },
  );
  const may = hasScope(who.scopes, "webhooks:write");
  return html`<section aria-labelledby="deliveries"><h2 id="deliveries">Deliveries</h2>
<form class="filters" method="get" action="${pageOf(visit)}">${field({ name: "status", label: "Status", value: status, options: [["", "any"], ...statuses.map((name) => [name, name] as const)] })}<div class="actions"><button type="submit">Filter</button></div></form>
${
  found.data.length === 0
    ? empty(
        status === "" ? "Nothing was sent here yet" : "None has this status",
        status === ""
          ? html`The next event is. A test event is sent at once: above, or <code>POST …/test</code>.`
          : html`<a href="${pageOf(visit)}">Show all</a>`,
      )
    : table(
        "Deliveries, newest first",
        [
          {
            label: "Event",
            cell: ({ id, type }) =>
              html`<a href="${pageOf(visit)}/deliveries/${id}"><code>${type}</code></a>`,
          },
          { label: "Status", cell: ({ status: is }) => pill(is) },
          { label: "Last answer", cell: (row) => bdi(lastOf(row)) },
          { label: "Made", cell: ({ created_at }) => time(created_at) },
          { label: "Next attempt", cell: ({ next_attempt_at }) => time(next_attempt_at) },
          ...(may
            ? [{ label: "Send again", cell: (row: Delivery) => again(visit, row, "Again") }]
            : []),
        ],
        found.data,
      )
}
${pages(pageOf(visit), { status }, found)}</section>`;
}

/** As it is signed; indented where it is JSON. */
function readable(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

async function delivery(visit: Visit): Promise<Shown> {
  const { api, params, who } = visit;
  const path = `/webhook-deliveries/${encodeURIComponent(params["delivery"]!)}`;
  const found = await api.get<Answers["WebhookDeliveryWithRequest"]>(path);
  const { request, attempts } = found;
  return shown(
    "Delivery",
    html`<p class="lead">${pill(found.status)} <code>${found.type}</code></p>
<div class="bar">${hasScope(who.scopes, "webhooks:write") && again(visit, found, "Send it again")}<a href="${pageOf(visit)}">Back to the endpoint</a></div>
${facts([
  ["Id", html`<code>${found.id}</code>`],
  ["Event", html`<code>${found.event_id}</code>`],
  ["Made", time(found.created_at)],
  ["Next attempt", time(found.next_attempt_at)],
])}
<section aria-labelledby="attempts"><h2 id="attempts">Attempts</h2>
${
  attempts.length === 0
    ? empty(
        "Not tried yet",
        html`The first attempt comes at once. <a href="${pageOf(visit)}/deliveries/${found.id}">Look again</a>`,
      )
    : table(
        "Attempts in their order",
        [
          { label: "When", cell: ({ at }: Attempt) => time(at) },
          { label: "Answer", cell: (attempt: Attempt) => bdi(answered(attempt)) },
          {
            label: "Took",
            figures: true,
            cell: ({ duration_ms }: Attempt) => `${Math.round(duration_ms)} ms`,
          },
          {
            label: "What it said",
            cell: ({ response_excerpt }: Attempt) => bdi(response_excerpt),
          },
        ],
        attempts,
      )
}</section>
<section aria-labelledby="request"><h2 id="request">Request</h2>
${facts([
  ["To", html`<code>${request.method}</code> ${bdi(request.url)}`],
  ...Object.entries(request.headers).map(([name, value]) => [name, bdi(value)] as const),
])}
${request.body === null ? empty("No body any more", "It was erased with the person whom it was about.") : html`<pre tabindex="0"><code>${readable(request.body)}</code></pre>`}</section>
${curls(visit, [
  ["This delivery", "GET", path],
  ["Send it again", "POST", `${path}/retry`, {}],
])}`,
  );
}

async function retry(visit: Visit): Promise<Led> {
  const id = encodeURIComponent(visit.params["delivery"]!);
  await visit.api.send("POST", `/webhook-deliveries/${id}/retry`, {
    body: {},
    key: keyOf(visit.form),
  });
  return { to: `${pageOf(visit)}/deliveries/${id}`, told: "It is sent again." };
}

const lookMs = 100;
const patienceMs = 3_000;

/** Sends a made-up event, and leads to what came of it as soon as that is known. */
async function test(visit: Visit): Promise<Led> {
  const { api, form, params } = visit;
  const { delivery_id: id } = await api.send<Answers["WebhookTest"]>(
    "POST",
    `/webhook-endpoints/${encodeURIComponent(params["id"]!)}/test`,
    { body: {}, key: keyOf(form) },
  );
  const found = await outcomeOf(visit, id);
  const last = found?.attempts.at(-1);
  const to = found === undefined ? pageOf(visit) : `${pageOf(visit)}/deliveries/${id}`;
  if (last === undefined) return { to, told: "A test event is on its way." };
  return {
    to,
    told:
      found!.status === "delivered"
        ? `The endpoint took the test event: ${answered(last)} after ${Math.round(last.duration_ms)} ms.`
        : `The endpoint did not take the test event: ${answered(last)}.`,
  };
}

async function outcomeOf({ api }: Visit, id: string): Promise<Delivery | undefined> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const found = await api.get<Delivery>(`/webhook-deliveries/${id}`).catch((error: unknown) => {
      // It is listed a moment after it was asked for.
      if (error instanceof Refused && error.problem.status === 404) return undefined;
      throw error;
    });
    if ((found?.attempts.length ?? 0) > 0 || performance.now() > deadline) return found;
    await pause(lookMs);
  }
}

export const deliveryPages: readonly Page[] = [
  { method: "POST", path: "/webhooks/:id/test", section, answer: test },
  { method: "GET", path: "/webhooks/:id/deliveries/:delivery", section, answer: delivery },
  { method: "POST", path: "/webhooks/:id/deliveries/:delivery/retry", section, answer: retry },
];
