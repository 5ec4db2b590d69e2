import type { Entry, Origins } from "../entry.ts";
import type { Live, State } from "../live.ts";
import { html, type Html } from "@heliograph/html";

/** Above it readers of a status see that it is late. */
const lateMs = 5_000;

type Environment = State["environments"][number];

const isWell = ({ not_running, lag_ms }: Environment): boolean =>
  not_running === 0 && lag_ms <= lateMs;

const seconds = (ms: number): string =>
  ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;

const row = (each: Environment): Html =>
  html`<tr><th scope="row">${each.environment}</th><td>${isWell(each) ? "in time" : each.not_running > 0 ? `${each.not_running} of ${each.consumers} consumers stand still` : "behind"}</td><td class="number">${each.lag_events}</td><td class="number">${seconds(each.lag_ms)}</td></tr>`;

function shown({ status, at, environments }: State): Html {
  const well = status === "ready" && environments.every(isWell);
  return html`<p class="state ${well ? "good" : "bad"}"><b>${well ? "All of it works" : status === "ready" ? "Messages are accepted; some of what follows is late" : "The platform is not ready"}</b></p><div class="scroll" tabindex="0"><table><thead><tr><th scope="col">Environment</th><th scope="col">Consumers</th><th scope="col" class="number">Events behind</th><th scope="col" class="number">Time behind</th></tr></thead><tbody>${environments.map(row)}</tbody></table></div><p class="small">Looked at <time datetime="${at}">${at.slice(0, 19).replace("T", " ")} UTC</time>, when this page was made. Reload it for the present state.</p>`;
}

export function statusOf({ api }: Origins): Entry {
  const body = ({ state }: Live): Html =>
    html`<h1>Status</h1>${
      state === undefined
        ? html`<p class="state bad"><b>The state is not known here</b></p><p>The API did not answer this page, or this is a copy that cannot ask. Ask it yourself:</p>`
        : shown(state)
    }<h2>The same for programs</h2><pre tabindex="0"><code>curl ${api}/api/v1/status
curl ${api}/readyz</code></pre><p>“Behind” is the furthest of all consumers: how many events it has still to read, and since when. <a href="/docs/operating/monitoring">Monitoring</a> says what to watch.</p>`;
  return {
    path: "/status",
    title: "Status",
    description: "Whether the Heliograph platform is ready, and how far its consumers are behind.",
    source: String(body({})),
    needs: "state",
    body,
  };
}
