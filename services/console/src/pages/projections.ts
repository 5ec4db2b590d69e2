import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import type { List } from "../shapes.ts";
import { act } from "../view/acts.ts";
import { button, keyOf } from "../view/forms.ts";
import { progress } from "../view/progress.ts";
import { bdi, curl, curls, empty, facts, field, pages, pill, table, time } from "../view/parts.ts";

type Projection = Answers["Projection"];
type Rebuild = Answers["Rebuild"];
type DeadLetter = Answers["DeadLetter"];

const section = "/projections";
const rebuildPath = (name: string): string =>
  `/admin/projections/${encodeURIComponent(name)}/rebuild`;

async function list(visit: Visit): Promise<Shown> {
  const { data } = await visit.api.get<List<Projection>>("/admin/projections");
  const rows = data.filter(({ environment }) => environment === visit.environment);
  return shown(
    "Projections",
    html`<p>Everything that reads the log of this world: projectors keep what lists and pages show, reactors act. A projector can be built again from the log while it serves; a reactor never is, because what it did was done outside too.</p>
${
  rows.length === 0
    ? empty(
        "Nothing reads the log yet",
        "Each service shows its consumers here a second after it started.",
      )
    : table<Projection>(
        `Consumers in ${visit.environment}`,
        [
          { label: "Name", cell: ({ name }) => html`<code>${name}</code>` },
          { label: "Kind", cell: ({ kind }) => kind },
          { label: "Status", cell: ({ status }) => pill(status) },
          { label: "Events behind", figures: true, cell: ({ lag_events }) => lag_events },
          { label: "Behind for", figures: true, cell: ({ lag_ms }) => `${Math.round(lag_ms)} ms` },
          { label: "Events a second", figures: true, cell: ({ rate }) => rate },
          {
            label: "Position",
            figures: true,
            cell: ({ position }) => position.replace(/^0+(?=.)/, ""),
          },
          { label: "What went wrong", cell: ({ last_error }) => bdi(last_error) },
          {
            label: "Build again",
            cell: ({ kind, name }) =>
              kind === "projector"
                ? html`<a href="${base}${section}/rebuild?name=${encodeURIComponent(name)}" aria-label="Verify or rebuild ${name}">Verify or rebuild</a>`
                : html`<span class="none">never</span>`,
          },
        ],
        rows,
      )
}
${curl(visit, "GET", "/admin/projections")}`,
  );
}

async function asking(visit: Visit): Promise<Shown> {
  const name = visit.query.text("name");
  const named = html`<input type="hidden" name="name" value="${name}">`;
  return shown(
    "Verify or rebuild",
    html`<p class="lead"><code>${name}</code> in ${visit.environment}</p>
<div class="two"><section aria-labelledby="verify"><h2 id="verify">Verify</h2>
<p>Builds it from the log beside the one that serves, compares the two row by row, and keeps the one there is. Changes nothing.</p>
${act(visit, `${section}/rebuild`, html`${named}<input type="hidden" name="verify" value="1">`, "Verify", { look: "plain" })}</section>
<section aria-labelledby="rebuild"><h2 id="rebuild">Rebuild</h2>
<p>Builds it from the log beside the one that serves, and puts it in its place once it has caught up. Lists answer all the while. It reads the whole log once, so others may fall behind a little.</p>
${act(visit, `${section}/rebuild`, named, "Rebuild", { look: "plain" })}</section></div>
<p><a href="${base}${section}">Leave it as it is</a></p>
${curls(visit, [
  ["Verify", "POST", rebuildPath(name), { environment: visit.environment, verify_only: true }],
  ["Rebuild", "POST", rebuildPath(name), { environment: visit.environment }],
])}`,
  );
}

async function begin(visit: Visit): Promise<Led> {
  const { form, environment, api } = visit;
  const name = form.text("name");
  const body = { environment, ...(form.has("verify") && { verify_only: true }) };
  const made = await api.send<Answers["RequestedRebuild"]>("POST", rebuildPath(name), {
    body,
    key: keyOf(visit.form),
  });
  return { to: `${base}${section}/rebuild/${made.id}?name=${encodeURIComponent(name)}` };
}

const resultOf = ({ status, verify_only, result, error, name }: Rebuild): Html | undefined => {
  if (status === "failed")
    return html`<div class="refusal" role="alert"><h2>It failed</h2><p>${bdi(error)}</p><p>The one that serves is as it was.</p></div>`;
  if (status !== "done") return undefined;
  if (!verify_only)
    return html`<div class="notice" role="status"><p><strong>Done.</strong> What was built from the log serves now.</p></div>`;
  return result?.["equal"] === true
    ? html`<div class="notice" role="status"><p><strong>Equal.</strong> What serves is what the log says, row by row.</p></div>`
    : html`<div class="refusal" role="alert"><h2>They differ</h2><p>What serves is not what the log says: <a href="${base}${section}/rebuild?name=${encodeURIComponent(name)}">rebuild it</a>.</p></div>`;
};

async function rebuilding(visit: Visit): Promise<Shown> {
  const { params, query, api } = visit;
  const name = query.text("name");
  const path = `${rebuildPath(name)}/${encodeURIComponent(params["id"]!)}`;
  const job = await api.get<Rebuild>(path);
  const going = job.status === "requested" || job.status === "running";
  const here = `${base}${section}/rebuild/${job.id}?name=${encodeURIComponent(name)}`;
  return shown(
    job.verify_only ? "Verifying" : "Rebuilding",
    html`${progress({
      going,
      here,
      body: html`<p class="lead">${pill(job.status)} <code>${job.name}</code> in ${job.environment}</p>
${resultOf(job)}
<p><label for="progress">Events read</label> <progress id="progress" max="${Math.max(1, job.total)}" value="${job.status === "done" ? Math.max(1, job.total) : job.processed}">${job.processed} of ${job.total}</progress> ${job.processed} of ${job.total}</p>
${facts([
  ["Asked for", time(job.created_at)],
  ["Last news", time(job.updated_at)],
])}
${job.result !== null && html`<details><summary>All of the result</summary><pre tabindex="0"><code>${JSON.stringify(job.result, null, 2)}</code></pre></details>`}`,
    })}
<p><a href="${base}${section}">All projections</a></p>
${curl(visit, "GET", path)}`,
  );
}

const statuses = ["open", "retry", "resolved"];
const letters = "/dead-letters";

async function deadLetters(visit: Visit): Promise<Shown> {
  const { api, query, environment } = visit;
  const status = query.text("status");
  const found = await api.get<List<DeadLetter>>("/admin/dead-letters", {
    environment,
    status,
    limit: 50,
    after: query.text("after"),
  });
  return shown(
    "Dead letters",
    html`<p>Events that a consumer could not handle. It set them aside and went on; handed out again, they are tried as if they came now.</p>
<form class="filters" method="get" action="${base}${letters}">${field({ name: "status", label: "Status", value: status, options: [["", "any"], ...statuses.map((each) => [each, each] as const)] })}<div class="actions"><button type="submit">Filter</button>${status !== "" && html`<a href="${base}${letters}">Show all</a>`}</div></form>
${
  found.data.length === 0
    ? empty(
        status === "" ? "None, and that is how it should be" : "Nothing fits",
        "An event comes here when its consumer has failed at it again and again.",
      )
    : table<DeadLetter>(
        "Dead letters, newest first",
        [
          { label: "When", cell: ({ created_at }) => time(created_at) },
          { label: "Consumer", cell: ({ consumer }) => html`<code>${consumer}</code>` },
          {
            label: "Event",
            cell: ({ event_type, position }) =>
              html`<a href="${base}/log?before=${(BigInt(position) + 1n).toString()}&amp;limit=1">${event_type}</a>`,
          },
          { label: "Why", cell: ({ reason }) => bdi(reason) },
          { label: "Tries", figures: true, cell: ({ attempts }) => attempts },
          { label: "Status", cell: ({ status: is }) => pill(is) },
          {
            label: "Again",
            cell: ({ id, status: is }) =>
              is === "open"
                ? button(visit, `${base}${letters}/retry`, "Again", { fields: { id }, about: id })
                : html`<span class="none">–</span>`,
          },
        ],
        found.data,
      )
}
${pages(`${base}${letters}`, { status }, { next_cursor: found.next_cursor })}
${curls(visit, [
  ["This page", "GET", `/admin/dead-letters?environment=${environment}`],
  ["Again", "POST", "/admin/dead-letters/…/retry"],
])}`,
  );
}

async function retry(visit: Visit): Promise<Led> {
  const id = visit.form.text("id");
  await visit.api.send("POST", `/admin/dead-letters/${encodeURIComponent(id)}/retry`, {
    key: keyOf(visit.form),
  });
  return { to: `${base}${letters}`, told: `${id} is handed out again.` };
}

export const projectionPages: readonly Page[] = [
  { method: "GET", path: section, section, answer: list },
  { method: "GET", path: `${section}/rebuild`, section, answer: asking },
  { method: "POST", path: `${section}/rebuild`, section, answer: begin },
  { method: "GET", path: `${section}/rebuild/:id`, section, live: true, answer: rebuilding },
  { method: "GET", path: letters, section: letters, answer: deadLetters },
  { method: "POST", path: `${letters}/retry`, section: letters, answer: retry },
];
