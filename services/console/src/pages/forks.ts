import { html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import type { Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import { tried, typed } from "../view/acts.ts";
import { button, keyOf, moment, once } from "../view/forms.ts";
import { bdi, curl, curls, facts, field, pill, refusal, time } from "../view/parts.ts";
import { progress } from "../view/progress.ts";
import { partnersOf } from "./routing-rules.ts";

type Fork = Answers["Fork"];

const section = "/forks";
const home = `${base}${section}`;
const dayMs = 86_400_000;
/** As a field of that kind has it, in UTC. */
const minuteOf = (ms: number): string => new Date(ms).toISOString().slice(0, 16);

async function ask(visit: Visit, problem?: Problem): Promise<Shown> {
  const now = Date.now();
  const { names, more } = await partnersOf(visit);
  const partner = { name: "partner", label: "Partner", value: typed(visit, "partner") };
  return shown(
    "Fork a partner's past",
    html`${problem !== undefined && refusal(problem)}<p>For each live message of the window a twin is sent in the partner's sandbox, and what people wrote is written there: the same countries, lengths and outcomes, and no person in it.</p>
<form class="sheet" method="post" action="${home}">${once(visit)}<div class="row">
${field(more ? { ...partner, placeholder: "ptn_…", required: true } : { ...partner, options: [...names] })}
${field({ name: "from", label: "From, UTC", value: typed(visit, "from", minuteOf(now - 7 * dayMs)), type: "datetime-local", required: true })}
${field({ name: "to", label: "To, UTC", value: typed(visit, "to", minuteOf(now)), type: "datetime-local", required: true, hint: "31 days later at most." })}</div>
<p class="hint">The twins are paid from the sandbox's own funds, and its endpoints are told of them. One of a partner runs at a time.</p>
<div class="actions"><button class="main" type="submit">Fork it</button></div></form>
${curl(visit, "POST", "/forks", { partner: "ptn_…", from: "2026-05-01T00:00:00Z", to: "2026-05-08T00:00:00Z" })}`,
    problem?.status,
  );
}

const begin = (visit: Visit): Promise<Shown | Led> =>
  tried(
    visit,
    async ({ key }) => {
      const { form } = visit;
      const body = {
        partner: form.text("partner"),
        from: moment(form.text("from")),
        to: moment(form.text("to")),
      };
      const made = await visit.api.send<Fork>("POST", "/forks", { body, key });
      return { to: `${home}/${made.id}` };
    },
    (problem) => ask(visit, problem),
  );

/** Why messages have no twin, as the platform names it. */
const skippedOf = ({ skipped }: Fork): string =>
  Object.entries(skipped)
    .map(([reason, count]) => `${count} ${reason.replaceAll("_", " ")}`)
    .join(", ") || "none";

async function one(visit: Visit): Promise<Shown> {
  const path = `/forks/${encodeURIComponent(visit.params["id"]!)}`;
  const here = `${base}${path}`;
  const found = await visit.api.get<Fork>(path);
  const going = found.finished_at === null;
  const percent = Math.floor(found.progress * 100);
  return shown(
    "Fork",
    html`${progress({
      going,
      here,
      body: html`<p class="lead">${pill(found.status)} ${time(found.from)} to ${time(found.to)}, of ${bdi(found.partner_id)}</p>
${found.error !== null && html`<div class="refusal" role="alert"><h2>It failed</h2><p>${bdi(found.error)}</p></div>`}
${found.complete === false && html`<div class="notice"><p>The window has more than a fork copies: it ended before the window did. Ask for the rest with a later start.</p></div>`}
<p><label for="progress">Read</label> <progress id="progress" max="100" value="${percent}">${percent} %</progress> ${percent} %</p>
${facts([
  ["Looked at", found.seen],
  ["With a twin", found.copied],
  ["Without one", skippedOf(found)],
])}
${going && html`<div class="bar">${button(visit, `${here}/cancel`, "Cancel")}</div>`}`,
    })}
<p><a href="${home}">Another fork</a></p>
${curls(visit, [
  ["This page", "GET", path],
  ["Cancel", "POST", `${path}/cancel`],
])}`,
  );
}

async function cancel(visit: Visit): Promise<Led> {
  const path = `/forks/${encodeURIComponent(visit.params["id"]!)}`;
  await visit.api.send("POST", `${path}/cancel`, { key: keyOf(visit.form) });
  return { to: `${base}${path}`, told: "It is canceled. What it sent stays." };
}

export const forkPages: readonly Page[] = [
  { method: "GET", path: section, section, answer: (visit) => ask(visit) },
  { method: "POST", path: section, section, answer: begin },
  { method: "GET", path: `${section}/:id`, section, live: true, answer: one },
  { method: "POST", path: `${section}/:id/cancel`, section, answer: cancel },
];
