import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { base, shown, type Page, type Shown, type Visit } from "../page.ts";
import { bdi, curl, empty, field, time } from "../view/parts.ts";

type LogPage = Answers["LogPage"];
type LogEvent = LogPage["data"][number];

const path = "/log";
/** Larger than any position: the newest. */
const end = "999999999999999999";
const pageSize = 25;
const categories = [
  "message",
  "receipts",
  "wallet",
  "topup",
  "template",
  "endpoint",
  "inbound",
  "contact",
  "conversation",
  "suppression",
  "partner",
  "key",
  "prices",
  "gateway",
  "agent",
  "team",
  "evaluation",
  "audit",
];

type Filters = Readonly<Record<"environment" | "stream" | "category" | "as_of", string>>;

const short = (position: string): string => position.replace(/^0+(?=.)/, "");

const addressOf = (filters: Filters, more: Readonly<Record<string, string>> = {}): string => {
  const given = Object.entries({ ...filters, ...more }).filter(([, value]) => value !== "");
  return `${base}${path}?${new URLSearchParams(given).toString()}`;
};

const eventOf = (filters: Filters, event: LogEvent): Html => {
  const { position, type, stream, revision, version, metadata, data, id } = event;
  return html`<li>
<p class="head"><strong>${type.replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ")}</strong> ${time(event.recorded_at)} <a class="position" href="${addressOf(filters, { as_of: short(position) })}" title="The log as of this position">#${short(position)}</a></p>
<p><a href="${addressOf({ ...filters, category: "", stream })}"><code>${stream}</code></a> <span class="small">revision ${revision}${version === 0 && ", unreadable"}</span></p>
<details><summary>All of it</summary><pre tabindex="0"><code>${JSON.stringify(data, null, 2)}</code></pre><p class="small">Event <code>${id}</code>, schema version ${version}${Object.entries(metadata).map(([name, value]) => html`, ${name.replaceAll("_", " ")} ${bdi(value)}`)}</p></details>
</li>`;
};

/** Where the page begins: behind a position, before one, at the one that was typed, or with the newest. */
function placeOf({ query }: Visit): Readonly<Record<string, string>> {
  const [after, from] = [query.text("after"), query.text("from")];
  if (after !== "") return { after };
  // Positions reach beyond what a number holds without losing digits.
  if (/^\d{1,18}$/.test(from)) {
    const at = BigInt(from);
    return { after: String(at === 0n ? at : at - 1n) };
  }
  return { before: query.text("before") || end };
}

async function log(visit: Visit): Promise<Shown> {
  const { api, query, environment } = visit;
  const asked = query.text("environment") === "platform" && environment === "live";
  const filters: Filters = {
    environment: asked ? "platform" : environment,
    stream: query.text("stream"),
    category: query.text("category"),
    as_of: short(query.text("as_of")),
  };
  const from = query.text("from");
  const call = {
    ...filters,
    limit: query.text("limit") || String(pageSize),
    ...placeOf(visit),
  };
  const page = await api.get<LogPage>("/admin/log", call);
  const search = new URLSearchParams(
    Object.entries(call).filter((each): each is [string, string] => !!each[1]),
  );
  const options = (names: readonly string[]): readonly (readonly [string, string])[] => [
    ["", "any"],
    ...names.map((name) => [name, name] as const),
  ];
  return shown(
    "Log",
    html`<p>What happened, in the order in which it counts. Texts that may hold a secret, or something of a person, are masked here whoever looks.</p>
<form class="filters" method="get" action="${base}${path}">
${
  environment === "live" &&
  field({
    name: "environment",
    label: "Log",
    value: filters.environment,
    options: [
      ["live", "live"],
      ["platform", "platform: partners, keys, settings"],
    ],
  })
}
${field({ name: "category", label: "Category", value: filters.category, options: options(categories) })}
${field({ name: "stream", label: "Stream", value: filters.stream, type: "search" })}
${field({ name: "from", label: "From position", value: from, type: "search" })}
${field({ name: "as_of", label: "As of position", value: filters.as_of, type: "search" })}
<div class="actions"><button type="submit">Look</button><a href="${base}${path}">Show the newest</a></div>
</form>
<p class="lead">${filters.as_of === "" ? html`The log ends at #${short(page.head)}.` : html`As it was at #${filters.as_of}, of #${short(page.head)}. <a href="${addressOf({ ...filters, as_of: "" })}">Now</a>`}</p>
${
  page.data.length === 0
    ? empty("Nothing here", "No event fits. Take a filter away, or look from position 1.")
    : html`<ol class="timeline">${page.data.map((event) => eventOf(filters, event))}</ol>`
}
<nav class="pages" aria-label="Pages of the log">${page.prev_before === null ? html`<span></span>` : html`<a rel="prev" href="${addressOf(filters, { before: page.prev_before })}">Earlier</a>`}${page.next_after !== null && html`<a rel="next" href="${addressOf(filters, { after: page.next_after })}">Later</a>`}</nav>
${curl(visit, "GET", `/admin/log?${search.toString()}`)}`,
  );
}

export const logPages: readonly Page[] = [{ method: "GET", path, section: path, answer: log }];
