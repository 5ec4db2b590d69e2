import { html, type Form } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import type { Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import { acted, checks, once, ticked, moment } from "../view/forms.ts";
import { bdi, curl, facts, field, pill, refusal, time } from "../view/parts.ts";
import { progress } from "../view/progress.ts";

const section = "/webhooks";
const pageOf = ({ params }: Visit): string =>
  `${base}/webhooks/${encodeURIComponent(params["id"]!)}`;
const apiPath = ({ params }: Visit): string =>
  `/webhook-endpoints/${encodeURIComponent(params["id"]!)}`;

const statuses = [
  ["failed", "failed"],
  ["discarded", "discarded while it was disabled"],
  ["delivered", "delivered: it gets them twice"],
] as const;
const byDefault = new Set(["failed", "discarded"]);

function bodyOf(form: Form): Record<string, unknown> {
  const sequence = form.text("after_sequence");
  const since = moment(form.text("since"));
  const until = moment(form.text("until"));
  const wanted = ticked(form, "statuses");
  return {
    ...(since !== "" && { since }),
    ...(until !== "" && { until }),
    ...(sequence !== "" && { after_sequence: Number(sequence) }),
    ...(wanted.length > 0 && { statuses: wanted }),
  };
}

async function blank(visit: Visit, problem?: Problem): Promise<Shown> {
  const { api, form, query } = visit;
  const typed = problem === undefined ? query : form;
  const { url } = await api.get<Answers["WebhookEndpoint"]>(apiPath(visit));
  const wanted = ticked(typed, "statuses");
  return shown(
    "Replay",
    html`${problem !== undefined && refusal(problem)}<p>Sends again to ${bdi(url)} what matches: with its id and its data as they were, so that a receiver knows it.</p>
<form class="sheet" method="post" action="${pageOf(visit)}/replay">${once(visit)}
<div class="row">
${field({ name: "since", label: "From", value: typed.text("since"), type: "datetime-local", hint: "UTC, inclusive. Left empty: from the first." })}
${field({ name: "until", label: "Until", value: typed.text("until"), type: "datetime-local", hint: "UTC, exclusive. Left empty: until now." })}
</div>
${field({ name: "after_sequence", label: "After sequence", value: typed.text("after_sequence"), type: "number", hint: html`The number that your receiver has last: <code>sequence</code> in each body.` })}
${checks("Which of them", "statuses", statuses, (status) => (wanted.length === 0 ? byDefault.has(status) : wanted.includes(status)))}
<div class="actions"><button class="main" type="submit">Send them again</button><a href="${pageOf(visit)}">Back to the endpoint</a></div></form>
${curl(visit, "POST", `${apiPath(visit)}/replay`, problem === undefined ? { since: "2026-05-23T00:00:00Z" } : bodyOf(form))}`,
    problem?.status,
  );
}

const start = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      const begun = await visit.api.send<Answers["WebhookReplay"]>(
        "POST",
        `${apiPath(visit)}/replay`,
        { body: bodyOf(visit.form), key },
      );
      const { id, matched, complete, last_sequence } = begun;
      return {
        to: `${pageOf(visit)}/replays/${id}`,
        told: `${matched === 1 ? "One delivery matches" : `${matched} deliveries match`}.${complete ? "" : ` There are more: replay again after sequence ${last_sequence ?? 0}.`}`,
      };
    },
    (problem) => blank(visit, problem),
  );

async function replaying(visit: Visit): Promise<Shown> {
  const path = `${apiPath(visit)}/replay/${encodeURIComponent(visit.params["replay"]!)}`;
  const found = await visit.api.get<Answers["WebhookReplayProgress"]>(path);
  const { id, status, matched, attempted, delivered, failed } = found;
  return shown(
    "Progress of a replay",
    html`${progress({
      going: status === "running",
      here: `${pageOf(visit)}/replays/${id}`,
      body: html`<p class="lead">${pill(status)} ${attempted} of ${matched}</p>
<progress max="${Math.max(matched, 1)}" value="${matched === 0 ? 1 : attempted}" aria-label="Tried again">${attempted} of ${matched}</progress>
${status === "stopped" && html`<div class="refusal"><p>The endpoint was disabled on the way. Enable it, and replay again.</p></div>`}
${facts([
  ["Id", html`<code>${id}</code>`],
  ["Begun", time(found.created_at)],
  ["Matched", matched],
  ["Delivered now", delivered],
  ["Not taken", failed],
])}`,
    })}
<p><a href="${pageOf(visit)}">Back to the endpoint</a></p>
${curl(visit, "GET", path)}`,
  );
}

export const replayPages: readonly Page[] = [
  { method: "GET", path: "/webhooks/:id/replay", section, answer: (visit) => blank(visit) },
  { method: "POST", path: "/webhooks/:id/replay", section, answer: start },
  { method: "GET", path: "/webhooks/:id/replays/:replay", section, live: true, answer: replaying },
];
