import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { Refused, type Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import type { List } from "../shapes.ts";
import { tried, typed } from "../view/acts.ts";
import { moment, once } from "../view/forms.ts";
import {
  bdi,
  curl,
  empty,
  facts,
  field,
  money,
  pages,
  pill,
  refusal,
  table,
  time,
  type Column,
} from "../view/parts.ts";
import { channels } from "./messages.ts";
import {
  changesOf,
  entriesIn,
  linesOf,
  type PriceChange,
  type PriceEntry,
  pricesHead,
} from "./price-lines.ts";

type Published = Answers["PublishedPriceList"];
type Version = Published["versions"][number];
type Preview = Answers["PricePreview"];

const section = "/prices";
const home = `${base}${section}`;
/** No list can be called so. */
const publishPath = `${section}/new-version`;
const publishHome = `${base}${publishPath}`;
/** Far more than anybody reads; the call that the page shows has all. */
const mostShown = 200;
const onlyLive = html`<p>Price lists are one for both worlds, and are published in live. <strong>Switch to live</strong> to publish a version.</p>`;

const pathOf = (list: string): string => `${home}/${encodeURIComponent(list)}`;
const inForce = ({ versions }: Published): Version | undefined =>
  versions.find(({ in_force }) => in_force);

/** When a version counts: a word, and since or from when. */
const standing = ({ in_force, effective_from, published_at }: Version): Html =>
  in_force
    ? html`<span class="pill good">in force</span> since ${time(effective_from ?? published_at)}`
    : html`<span class="pill going">to come</span> from ${time(effective_from ?? published_at)}`;

async function list(visit: Visit): Promise<Shown> {
  const { api, query } = visit;
  const found = await api.get<List<Published>>("/admin/prices", {
    after: query.text("after"),
    before: query.text("before"),
  });
  return shown(
    "Prices",
    html`<p>What messages cost. A partner pays by the list that it was given, or by <code>standard</code>; a message keeps the price that it was accepted with.</p>
<p class="bar"><a class="go" href="${publishHome}">Publish a list</a></p>
${
  found.data.length === 0
    ? empty("No price list yet", "Until there is one, nothing can be sent: publish the first.")
    : table<Published>(
        "Price lists",
        [
          { label: "List", cell: (row) => html`<a href="${pathOf(row.list)}">${row.list}</a>` },
          { label: "Currency", cell: ({ currency }) => currency },
          {
            label: "Version",
            figures: true,
            cell: (row) => inForce(row)?.version ?? html`<span class="none">none yet</span>`,
          },
          {
            label: "To come",
            figures: true,
            cell: ({ versions }) => versions.filter(({ in_force }) => !in_force).length,
          },
          { label: "Entries", figures: true, cell: (row) => inForce(row)?.entries.length ?? 0 },
          { label: "Partners", figures: true, cell: ({ partner_count }) => partner_count },
        ],
        found.data,
      )
}
${pages(home, {}, found)}
${curl(visit, "GET", "/admin/prices")}`,
  );
}

/** Throws Refused (404) where there is none. */
async function named({ api }: Visit, name: string): Promise<Published> {
  const { data } = await api.get<List<Published>>("/admin/prices", { list: name });
  const [found] = data;
  if (found !== undefined) return found;
  throw new Refused({
    status: 404,
    code: "not_found",
    title: "Not found",
    detail: "There is no such price list.",
  });
}

const prefixOf = ({ prefix }: PriceEntry): Html | string =>
  prefix === "" ? html`<span class="none">every other</span>` : `+${prefix}`;

/** What an entry is for, with its prices where a narrow screen still shows them. */
const entryColumns = <Row>(
  of: (row: Row) => PriceEntry,
  prices: readonly Column<Row>[],
): readonly Column<Row>[] => [
  { label: "Channel", cell: (row) => of(row).channel },
  { label: "Number begins with", cell: (row) => prefixOf(of(row)) },
  ...prices,
  { label: "Category", cell: (row) => of(row).category ?? html`<span class="none">any</span>` },
  { label: "From segments", figures: true, cell: (row) => of(row).min_segments ?? 1 },
];

/** The entries that could price a number which begins so, or begin with it. */
const fitting = ({ query }: Visit, entries: readonly PriceEntry[]): readonly PriceEntry[] => {
  const [channel, digits] = [query.text("channel"), query.text("prefix").replaceAll(/\D/g, "")];
  return entries.filter(
    (entry) =>
      (channel === "" || entry.channel === channel) &&
      (entry.prefix.startsWith(digits) || digits.startsWith(entry.prefix)),
  );
};

async function priced(visit: Visit, name: string): Promise<Preview | Problem | undefined> {
  const { api, query } = visit;
  if (query.text("to") === "") return undefined;
  try {
    return await api.get<Preview>("/prices/preview", {
      list: name,
      channel: query.text("on"),
      to: query.text("to"),
      segments: query.text("segments"),
    });
  } catch (error) {
    if (!(error instanceof Refused) || error.problem.status >= 500) throw error;
    return error.problem;
  }
}

const priceOf = (found: Preview): Html =>
  html`<div class="notice" role="status"><p>${bdi(found.to)} costs ${money(found.cost, found.currency)}: ${found.segments} × ${found.per_segment} by the entry ${found.prefix === "" ? "for every other number" : `+${found.prefix}`} of version ${found.version}.</p></div>`;

const asks = (visit: Visit, name: string): Html => {
  const { query } = visit;
  return html`<form class="filters" method="get" action="${pathOf(name)}">${field({ name: "on", label: "Channel", value: query.text("on") || "sms", options: channels })}${field({ name: "to", label: "To", value: query.text("to"), placeholder: "+447911123456" })}${field({ name: "segments", label: "Segments", value: query.text("segments") || "1", type: "number" })}<div class="actions"><button type="submit">What would it cost?</button></div></form>`;
};

const entriesOf = (visit: Visit, found: Published, version: Version): Html => {
  const fits = fitting(visit, version.entries);
  const { query } = visit;
  return html`<section aria-labelledby="entries"><h2 id="entries">Entries of version ${version.version}</h2>
<form class="filters" method="get" action="${pathOf(found.list)}"><input type="hidden" name="version" value="${version.version}">${field({ name: "channel", label: "Channel", value: query.text("channel"), options: [["", "any"], ...channels] })}${field({ name: "prefix", label: "Number begins with", value: query.text("prefix") })}<div class="actions"><button type="submit">Filter</button></div></form>
${
  fits.length === 0
    ? empty("No entry fits", "What no entry covers is refused: it is never free.")
    : table<PriceEntry>(
        "The longest prefix of a number counts",
        entryColumns<PriceEntry>(
          (entry) => entry,
          [
            {
              label: "A segment",
              figures: true,
              cell: ({ per_segment }) => money(per_segment, found.currency),
            },
          ],
        ),
        fits.slice(0, mostShown),
      )
}
${fits.length > mostShown && html`<p class="hint">These are the first ${mostShown} of ${fits.length}: the call below gives all.</p>`}</section>`;
};

async function one(visit: Visit): Promise<Shown> {
  const found = await named(visit, visit.params["list"]!);
  const cost = await priced(visit, found.list);
  const asked = found.versions.find(
    ({ version }) => String(version) === visit.query.text("version"),
  );
  const version = asked ?? inForce(found) ?? found.versions[0]!;
  return shown(
    `Prices: ${found.list}`,
    html`${facts([
      ["Currency", found.currency],
      ["Partners", found.partner_count],
    ])}
<p class="bar"><a class="go" href="${publishHome}?list=${found.list}">Publish another version</a><a href="${home}">All lists</a></p>
${table<Version>(
  "Versions in force and to come",
  [
    {
      label: "Version",
      cell: (row) =>
        html`<a href="${pathOf(found.list)}?version=${row.version}">${row.version}</a>`,
    },
    { label: "Counts", cell: standing },
    { label: "Entries", figures: true, cell: ({ entries }) => entries.length },
    { label: "Published", cell: ({ published_at }) => time(published_at) },
  ],
  found.versions,
)}
<section aria-labelledby="cost"><h2 id="cost">One message, by the version in force</h2>
${asks(visit, found.list)}${cost !== undefined && ("cost" in cost ? priceOf(cost) : refusal(cost))}</section>
${entriesOf(visit, found, version)}
${curl(visit, "GET", `/admin/prices?list=${found.list}`)}`,
    cost !== undefined && "status" in cost ? cost.status : undefined,
  );
}

/** The list that the form is about; undefined where it is a new one. */
async function known(visit: Visit): Promise<Published | undefined> {
  const name = visit.form.text("list") || visit.query.text("list");
  if (name === "") return undefined;
  const { data } = await visit.api.get<List<Published>>("/admin/prices", { list: name });
  return data[0];
}

async function ask(visit: Visit, problem?: Problem): Promise<Shown> {
  const found = await known(visit);
  const newest = found?.versions[0];
  return shown(
    "Publish prices",
    html`${problem !== undefined && refusal(problem)}${
      visit.environment === "live"
        ? html`<form class="sheet" method="post" action="${publishHome}" enctype="multipart/form-data">${once(visit)}<div class="row">
${field({ name: "list", label: "List", value: typed(visit, "list", visit.query.text("list")), required: true, placeholder: "wholesale", hint: "A name that is not there yet makes a new list." })}
${field({ name: "version", label: "Version", value: typed(visit, "version", (newest?.version ?? 0) + 1), type: "number", required: true, hint: "Above those there are." })}
${field({ name: "currency", label: "Currency", value: typed(visit, "currency", found?.currency), placeholder: "USD", hint: "Of a new list; it stays as it is." })}
${field({ name: "effective_from", label: "Counts from, UTC", value: typed(visit, "effective_from"), type: "datetime-local", hint: "Left empty: at once." })}</div>
${field({ name: "entries", label: "Entries", value: typed(visit, "entries", linesOf(newest?.entries ?? [])), rows: 12, required: true, hint: html`One a line: <code>${pricesHead}</code>. Category and segments may be empty; an empty prefix is for every other number.` })}
<div class="actions"><button class="main" type="submit">See what changes</button><a href="${home}">Back to the lists</a></div></form>`
        : onlyLive
    }
${curl(visit, "PUT", "/admin/prices", { list: "wholesale", version: 2, entries: [{ channel: "sms", prefix: "", per_segment: "0.02" }] })}`,
    problem?.status,
  );
}

function bodyOf({ form }: Visit): Readonly<Record<string, unknown>> {
  const [version, from] = [form.text("version"), form.text("effective_from")];
  return {
    list: form.text("list"),
    version: /^\d{1,9}$/.test(version) ? Number(version) : version,
    ...(form.text("currency") !== "" && { currency: form.text("currency").toUpperCase() }),
    ...(from !== "" && { effective_from: moment(from) }),
    entries: entriesIn(form.exact("entries")),
  };
}

const changeColumns = entryColumns<PriceChange>(
  ({ entry }) => entry,
  [
    { label: "Until now", figures: true, cell: ({ before }) => before ?? pill("new") },
    { label: "Then", figures: true, cell: ({ after }) => after ?? pill("left out") },
  ],
);

/** What a version would change against the one in force, before it is published for ever. */
async function preview(visit: Visit): Promise<Shown> {
  const { form } = visit;
  const found = await known(visit);
  const next = entriesIn(form.exact("entries"));
  const changes = changesOf((found && inForce(found)?.entries) ?? [], next);
  const from = form.text("effective_from");
  const fields = ["list", "version", "currency", "effective_from"].map(
    (name) => html`<input type="hidden" name="${name}" value="${form.text(name)}">`,
  );
  return shown(
    "Publish these prices?",
    html`${
      changes.length === 0
        ? html`<div class="notice" role="status"><p>No price changes.</p></div>`
        : table<PriceChange>("What changes", changeColumns, changes.slice(0, mostShown))
    }
${changes.length > mostShown && html`<p class="hint">These are the first ${mostShown} of ${changes.length} changes.</p>`}
<form class="sheet grave" method="post" action="${publishHome}" enctype="multipart/form-data">${once(visit)}${fields}<input type="hidden" name="sure" value="1">
<p>Version ${form.text("version")} of ${bdi(form.text("list"))}, with ${next.length} ${next.length === 1 ? "entry" : "entries"}, counts ${from === "" ? "at once" : html`from ${bdi(from.replace("T", " "))} UTC`} for ${found?.partner_count ?? "no"} ${found?.partner_count === 1 ? "partner" : "partners"}. What was accepted before keeps its price. A version never changes: only a higher one takes it back.</p>
<details><summary>Change it first</summary>${field({ name: "entries", label: "Entries", value: form.exact("entries"), rows: 8 })}<button type="submit" name="look" value="1">Look at it again</button></details>
<div class="actions"><button class="grave" type="submit">Publish for good</button><a href="${home}">Leave it as it is</a></div></form>`,
  );
}

async function publish(visit: Visit): Promise<Shown | Led> {
  const { form, api } = visit;
  if (!form.has("sure") || form.has("look")) return preview(visit);
  return tried(
    visit,
    async ({ key }) => {
      const made = await api.send<Version>("PUT", "/admin/prices", { body: bodyOf(visit), key });
      return {
        to: pathOf(made.list),
        told: `Version ${made.version} of ${made.list} is published.`,
      };
    },
    (problem) => ask(visit, problem),
  );
}

export const pricePages: readonly Page[] = [
  { method: "GET", path: section, section, answer: list },
  { method: "GET", path: publishPath, section, answer: (visit) => ask(visit) },
  { method: "POST", path: publishPath, section, answer: publish },
  { method: "GET", path: `${section}/:list`, section, answer: one },
];
