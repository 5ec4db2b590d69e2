import { hasScope } from "@heliograph/api";
import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import type { Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import { acted, asked, button, once } from "../view/forms.ts";
import { bdi, curl, curls, facts, field, pill, refusal, time, type Call } from "../view/parts.ts";
import {
  changeOf,
  filtersTold,
  publicKeysTold,
  settingFields,
  settingsOf,
  typedAs,
  typedOf,
  type Endpoint,
  type Types,
} from "./webhook-settings.ts";
import { deliveriesOf, deliveryPages } from "./webhook-deliveries.ts";
import { replayPages } from "./webhook-replay.ts";
import { statisticsOf } from "./webhook-statistics.ts";
import { listPage } from "./lists.ts";
import { overlaps } from "./overlaps.ts";

const section = "/webhooks";
const home = `${base}${section}`;
const apiPath = ({ params }: Visit): string =>
  `/webhook-endpoints/${encodeURIComponent(params["id"]!)}`;
const pageOf = ({ params }: Visit): string => `${home}/${encodeURIComponent(params["id"]!)}`;
const mayWrite = ({ who }: Visit): boolean => hasScope(who.scopes, "webhooks:write");

const list = listPage<Endpoint>({
  path: section,
  title: "Webhooks",
  from: "/webhook-endpoints",
  lead: "Addresses of yours that are told what happens: signed, in order of trial, and until they answer.",
  tools: (visit) =>
    mayWrite(visit) &&
    html`<p class="bar"><a class="go" href="${home}/new">Add an endpoint</a></p>`,
  columns: () => [
    {
      label: "Where to",
      cell: ({ id, url }) => html`<a href="${home}/${id}">${bdi(url)}</a>`,
    },
    { label: "Status", cell: ({ status }) => pill(status) },
    { label: "What", cell: ({ event_types }) => toldOf(event_types) },
    { label: "Since", cell: ({ created_at }) => time(created_at) },
  ],
  none: [
    "No endpoint yet",
    html`An endpoint is an address of yours that is told what happens, signed and until it answers. Add one above, or <code>POST /webhook-endpoints</code> with its <code>url</code>.`,
  ],
});

const toldOf = (types: readonly string[]): string =>
  types.length === 0
    ? "everything"
    : types.length > 3
      ? `${types.slice(0, 3).join(", ")} and ${types.length - 3} more`
      : types.join(", ");

const typesOf = async ({ api }: Visit): Promise<Types> =>
  (await api.get<Answers["LifecycleEventTypes"]>("/event-types")).data;

async function blank(visit: Visit, problem?: Problem): Promise<Shown> {
  const typed = typedOf(visit.form);
  const example = { url: typed.url || "https://example.com/hooks/heliograph" };
  return shown(
    "Add an endpoint",
    html`${problem !== undefined && refusal(problem)}<form class="sheet" method="post" action="${home}/new">${once(visit)}
${settingFields(typed, await typesOf(visit))}
<div class="actions"><button class="main" type="submit">Add it</button><a href="${home}">Back to the endpoints</a></div></form>
${curl(visit, "POST", "/webhook-endpoints", example)}`,
    problem?.status,
  );
}

const create = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      const made = await visit.api.send<Answers["CreatedWebhookEndpoint"]>(
        "POST",
        "/webhook-endpoints",
        { body: settingsOf(typedOf(visit.form)), key },
      );
      return {
        to: `${home}/${made.id}`,
        told: "The endpoint is told what happens from now on.",
        secrets: [["Signing secret", made.secret]],
      };
    },
    (problem) => blank(visit, problem),
  );

async function endpoint(visit: Visit): Promise<Shown> {
  const found = await visit.api.get<Endpoint>(apiPath(visit));
  const { id, url, status, disabled_reason, event_types, description, rate_limit, headers } = found;
  return shown(
    "Endpoint",
    html`<p class="lead">${pill(status)} ${bdi(url)}</p>
${disabled_reason !== null && html`<div class="refusal"><p>${disabled_reason}</p></div>`}
${mayWrite(visit) && tools(visit, found)}
${facts([
  ["Id", html`<code>${id}</code>`],
  ["What it is told", event_types.length === 0 ? "everything" : event_types.join(", ")],
  ["Only", filtersTold(found)],
  ["What it is for", bdi(description)],
  ["Most a second", rate_limit ?? "as fast as it answers"],
  ["Most at once", found.concurrency_limit ?? "as many as it has earned"],
  ["Order", found.ordering === null ? "as they come" : "of each message, contact and conversation"],
  [
    "Events in a request",
    found.batch === null
      ? "one"
      : `up to ${found.batch.max_events}, within ${found.batch.max_wait_ms} ms`,
  ],
  [
    "Headers of yours",
    Object.keys(headers).length === 0 ? "none" : bdi(Object.keys(headers).join(", ")),
  ],
  ["Public keys", publicKeysTold(found)],
  ["Since", time(found.created_at)],
])}
${await statisticsOf(visit)}
${await deliveriesOf(visit)}
${curls(visit, callsOf(visit, found))}`,
  );
}

const callsOf = (visit: Visit, { status }: Endpoint): readonly Call[] => {
  const path = apiPath(visit);
  const deliveries: Call = ["Deliveries", "GET", `${path}/deliveries`];
  if (!mayWrite(visit)) return [deliveries];
  const again: Call = ["Again", "POST", "/webhook-deliveries/whd_…/retry", {}];
  return status === "enabled"
    ? [
        deliveries,
        ["Send a test event", "POST", `${path}/test`, {}],
        ["Disable", "PATCH", path, { status: "disabled" }],
        again,
      ]
    : [deliveries, ["Enable", "POST", `${path}/enable`, {}], again];
};

function tools(visit: Visit, { status }: Endpoint): Html {
  const page = pageOf(visit);
  const on = status === "enabled";
  return html`<div class="bar">${on && button(visit, `${page}/test`, "Send a test event")}${
    on
      ? button(visit, `${page}/switch`, "Disable", { fields: { status: "disabled" } })
      : button(visit, `${page}/switch`, "Enable", { fields: { status: "enabled" } })
  }<a href="${page}/edit">Change it</a>${on && html`<a href="${page}/replay">Replay</a>`}<a href="${page}/rotate">Rotate the secret</a><a class="grave" href="${page}/delete">Delete</a></div>`;
}

async function edit(visit: Visit, problem?: Problem): Promise<Shown> {
  const [{ body: found, etag }, types] = await Promise.all([
    visit.api.read<Endpoint>(apiPath(visit)),
    typesOf(visit),
  ]);
  const typed = problem !== undefined ? typedOf(visit.form) : typedAs(found);
  return shown(
    "Change the endpoint",
    html`${problem !== undefined && refusal(problem)}<form class="sheet" method="post" action="${pageOf(visit)}/edit">${once(visit, etag)}
${settingFields(typed, types)}
<div class="actions"><button class="main" type="submit">Keep this</button><a href="${pageOf(visit)}">Leave it as it is</a></div></form>
${curl(visit, "PATCH", apiPath(visit), changeOf(typed))}`,
    problem?.status,
  );
}

const change = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async (given) => {
      const body = changeOf(typedOf(visit.form));
      await visit.api.send("PATCH", apiPath(visit), { body, ...given });
      return { to: pageOf(visit), told: "Changed. The next request goes by it." };
    },
    (problem) => edit(visit, problem),
  );

async function switched(visit: Visit): Promise<Led> {
  const { api, form } = visit;
  const on = form.text("status") === "enabled";
  const path = apiPath(visit);
  const key = form.text("key");
  await (on
    ? api.send("POST", `${path}/enable`, { body: {}, key })
    : api.send("PATCH", path, { body: { status: "disabled" }, key }));
  return {
    to: pageOf(visit),
    told: on
      ? "Enabled: what happens from now on is told. What it missed, a replay sends."
      : "Disabled: nothing is sent there any more.",
  };
}

async function rotation(visit: Visit, problem?: Problem): Promise<Shown> {
  await visit.api.get<Endpoint>(apiPath(visit));
  return shown(
    "Rotate the signing secret",
    html`${problem !== undefined && refusal(problem)}<form class="sheet" method="post" action="${pageOf(visit)}/rotate">${once(visit)}
<p>A new secret signs from now on. Until the overlap ends every request has both signatures, so a receiver that knows either goes on.</p>
${field({ name: "overlap_seconds", label: "Overlap", value: visit.form.text("overlap_seconds") || "86400", options: overlaps })}
<div class="actions"><button class="main" type="submit">Make a new secret</button><a href="${pageOf(visit)}">Leave it as it is</a></div></form>
${curl(visit, "POST", `${apiPath(visit)}/rotate-secret`, { overlap_seconds: 86_400 })}`,
    problem?.status,
  );
}

const rotate = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      const overlap_seconds = Number(visit.form.text("overlap_seconds"));
      const made = await visit.api.send<Answers["RotatedWebhookSecret"]>(
        "POST",
        `${apiPath(visit)}/rotate-secret`,
        { body: { overlap_seconds }, key },
      );
      return {
        to: pageOf(visit),
        told: "A new secret signs.",
        secrets: [
          ["Signing secret", made.secret],
          ["The one before signs until", made.previous_secret_expires_at],
        ],
      };
    },
    (problem) => rotation(visit, problem),
  );

async function removal(visit: Visit, problem?: Problem): Promise<Shown> {
  const { url } = await visit.api.get<Endpoint>(apiPath(visit));
  return asked(visit, {
    title: "Delete this endpoint?",
    what: html`${bdi(url)} is told nothing more, its secret signs nothing, and its deliveries are listed nowhere. What happened stays in the feed of events.`,
    action: `${pageOf(visit)}/delete`,
    label: "Delete the endpoint",
    call: ["DELETE", apiPath(visit)],
    back: pageOf(visit),
    problem,
  });
}

const remove = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      await visit.api.send("DELETE", apiPath(visit), { key });
      return { to: home, told: "The endpoint is deleted." };
    },
    (problem) => removal(visit, problem),
  );

export const webhookPages: readonly Page[] = [
  list,
  { method: "GET", path: "/webhooks/new", section, answer: (visit) => blank(visit) },
  { method: "POST", path: "/webhooks/new", section, answer: create },
  { method: "GET", path: "/webhooks/:id", section, answer: endpoint },
  { method: "GET", path: "/webhooks/:id/edit", section, answer: (visit) => edit(visit) },
  { method: "POST", path: "/webhooks/:id/edit", section, answer: change },
  { method: "POST", path: "/webhooks/:id/switch", section, answer: switched },
  { method: "GET", path: "/webhooks/:id/rotate", section, answer: (v) => rotation(v) },
  { method: "POST", path: "/webhooks/:id/rotate", section, answer: rotate },
  { method: "GET", path: "/webhooks/:id/delete", section, answer: (visit) => removal(visit) },
  { method: "POST", path: "/webhooks/:id/delete", section, answer: remove },
  ...deliveryPages,
  ...replayPages,
];
