import { html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { withQuery } from "../client.ts";
import { base, shown, type Page, type Shown, type Visit } from "../page.ts";
import { curl, empty, field, table, time } from "../view/parts.ts";

type Feed = Answers["LifecycleEventPage"];
type LifecycleEvent = Feed["data"][number];

const section = "/events";
const home = `${base}${section}`;
const pageSize = 50;
/** Larger than any sequence: the newest. */
const end = String(Number.MAX_SAFE_INTEGER);

const columns = [
  { label: "Event", cell: ({ type }: LifecycleEvent) => type },
  { label: "Sequence", figures: true, cell: ({ sequence }: LifecycleEvent) => sequence },
  { label: "When", cell: ({ timestamp }: LifecycleEvent) => time(timestamp) },
  {
    label: "Data",
    cell: ({ data, sequence }: LifecycleEvent) =>
      html`<details><summary>Data of ${sequence}</summary><pre tabindex="0"><code>${JSON.stringify(data, null, 2)}</code></pre></details>`,
  },
];

/** Behind a sequence, or before one: the newest where none is named. */
function placeOf({ query }: Visit): Readonly<Record<"after" | "before", string>> {
  const after = query.text("after");
  return { after, before: after === "" ? query.text("before") || end : "" };
}

async function events(visit: Visit): Promise<Shown> {
  const { api, query } = visit;
  const types = query.text("types");
  const place = placeOf(visit);
  const [found, known] = await Promise.all([
    api.get<Feed>("/events", { ...place, types, limit: pageSize }),
    api.get<Answers["LifecycleEventTypes"]>("/event-types"),
  ]);
  const { data, prev_before: previous } = found;
  const to = (more: Readonly<Record<string, string | number>>): string => {
    return withQuery(home, { types, ...more });
  };
  const first = data[0]?.sequence;
  const earlier = place.after === "" ? previous : first !== undefined && first > 1 ? first : null;
  const later = place.before === end ? undefined : found.next_after;
  return shown(
    "Events",
    html`<p>What is told to the outside, in its order: the same to webhooks, to the feed and to topics.</p>
<form class="filters" method="get" action="${home}">${field({ name: "types", label: "Type", value: types, options: [["", "any"], ...known.data.map(({ type }) => [type, type] as const), ...several(types)] })}<div class="actions"><button type="submit">Filter</button><a href="${to({ after: 0 })}">From the beginning</a><a href="${to({})}">The newest</a></div></form>
${data.length === 0 ? empty("Nothing here", "Whatever happens next is told here, and at your endpoints.") : table("Events in their order", columns, data)}
<nav class="pages" aria-label="Pages of the feed">${typeof earlier === "number" ? html`<a rel="prev" href="${to({ before: earlier })}">Earlier</a>` : html`<span></span>`}${later !== undefined && html`<a rel="next" href="${to({ after: later })}">Later</a>`}</nav>
${curl(visit, "GET", withQuery("/events", { ...place, types }))}`,
  );
}

/** More than one type comes by an address, and stays chosen. */
const several = (types: string): readonly string[] => (types.includes(",") ? [types] : []);

export const eventPages: readonly Page[] = [
  { method: "GET", path: section, section, answer: events },
];
