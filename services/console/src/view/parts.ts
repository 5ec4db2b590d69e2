import { html, type Html, type Shown, link } from "@heliograph/html";
import type { Problem } from "../client.ts";
import type { Visit } from "../page.ts";

const clock = new Intl.DateTimeFormat("en-GB", {
  timeZone: "UTC",
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

/** A time of the platform, in UTC; a dash where there is none. */
export const time = (at: string | null | undefined): Html =>
  at === undefined || at === null
    ? html`<span class="none">–</span>`
    : html`<time datetime="${at}">${clock.format(new Date(at))}</time>`;

/** A place in the log, as everywhere: the platform sends it with as many digits as there may ever be. */
export const position = (digits: string): string => `#${BigInt(digits)}`;

/** What a stranger wrote: its direction ends where it ends. */
export const bdi = (text: string | null | undefined): Html =>
  text === undefined || text === null || text === ""
    ? html`<span class="none">–</span>`
    : html`<bdi>${text}</bdi>`;

const tones: Readonly<Record<string, string>> = {
  delivered: "good",
  read: "good",
  active: "good",
  enabled: "good",
  granted: "good",
  done: "good",
  sent: "going",
  queued: "going",
  scheduled: "going",
  open: "going",
  running: "going",
  closed: "over",
  withdrawn: "bad",
  failed: "bad",
  bounced: "bad",
  rejected: "bad",
  expired: "bad",
  disabled: "bad",
};

/** A state: a word with a colour and a mark, so that neither has to carry it alone. */
export const pill = (status: string): Html =>
  html`<span class="pill ${tones[status] ?? "still"}">${status.replaceAll("_", " ")}</span>`;

export const money = (amount: string, currency: string): Html =>
  html`<span class="money">${amount} <abbr>${currency}</abbr></span>`;

export type Column<Row> = {
  readonly label: string;
  readonly cell: (row: Row) => Shown;
  /** Figures stand at the right. */
  readonly figures?: boolean;
};

/** A table that scrolls by itself where it is too wide, and can be reached by the keyboard then. */
export const table = <Row>(
  caption: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Html => html`<section class="scroll" aria-label="${caption}" tabindex="0"><table>
<caption>${caption}</caption>
<thead><tr>${columns.map(({ label, figures }) => html`<th scope="col"${figures === true && html` class="figures"`}>${label}</th>`)}</tr></thead>
<tbody>${rows.map(
  (row) =>
    html`<tr>${columns.map(({ cell, figures }) => html`<td${figures === true && html` class="figures"`}>${cell(row)}</td>`)}</tr>
`,
)}</tbody>
</table></section>`;

/** Names and what they are. */
export const facts = (pairs: readonly (readonly [string, Shown])[]): Html =>
  html`<dl class="facts">${pairs.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

/** A list that is empty says what would be in it, and how it gets there. */
export const empty = (title: string, what: Shown): Html =>
  html`<div class="empty"><h2>${title}</h2><p>${what}</p></div>`;

/** The links between the pages of a list. Filters stay in the address. */
export function pages(
  path: string,
  filters: Readonly<Record<string, string>>,
  list: { readonly next_cursor: string | null; readonly prev_cursor?: string | null },
): Html | undefined {
  const to = (name: string, cursor: string): string => {
    const given = Object.entries(filters).filter(([, value]) => value !== "");
    return `${path}?${new URLSearchParams([...given, [name, cursor]]).toString()}`;
  };
  const { next_cursor: next, prev_cursor: previous } = list;
  if (!next && !previous) return undefined;
  return html`<nav class="pages" aria-label="Pages of the list">${previous ? html`<a rel="prev" href="${to("before", previous)}">Newer</a>` : html`<span></span>`}${next && html`<a rel="next" href="${to("after", next)}">Older</a>`}</nav>`;
}

type Where = Pick<Visit, "origin" | "environment">;

/** The same call for a terminal. Whoever reads it sees that the console can do nothing that a key cannot. */
export const curl = (
  where: Where,
  method: string,
  path: string,
  body?: unknown,
  ifMatch?: string,
): Html =>
  folded(
    terminal(where, method, path, [
      ...(ifMatch === undefined ? [] : [`-H ${quoted(`If-Match: ${ifMatch}`)}`]),
      ...bodyFlags(body),
    ]),
  );

/** What a button does, and the call that does it. */
export type Call = readonly [does: string, method: string, path: string, body?: unknown];

/** The same for a page with several forms: each call by the name of its button. */
export const curls = (where: Where, calls: readonly Call[]): Html =>
  folded(
    calls.map(
      ([does, method, path, body]) =>
        html`<p class="does">${does}</p>${terminal(where, method, path, bodyFlags(body))}`,
    ),
  );

const bodyFlags = (body: unknown): readonly string[] =>
  body === undefined
    ? []
    : ["-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body))}`];

const folded = (inside: Shown): Html =>
  html`<details class="curl"><summary>The same with curl</summary>${inside}</details>`;

/** The same with a file. */
export const curlFile = (where: Where, path: string, type: string, name: string): Html =>
  folded(terminal(where, "POST", path, [`-H 'Content-Type: ${type}'`, `--data-binary @${name}`]));

/** Whose credential a call goes with: an operator's key, a person's own token, or a key of the environment. */
function credential(path: string, environment: string): string {
  const [whose, what] = path.startsWith("/admin/")
    ? ["ADMIN", "KEY"]
    : path.startsWith("/me")
      ? ["ACCESS", "TOKEN"]
      : [environment.toUpperCase(), "KEY"];
  return `HELIOGRAPH_${whose}_${what}`;
}

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

function terminal(
  { origin, environment }: Where,
  method: string,
  path: string,
  more: readonly string[],
): Html {
  const lines = [
    `curl${method === "GET" ? "" : ` -X ${method}`} ${quoted(`${origin}/api/v1${path}`)}`,
    `-H "Authorization: Bearer $${credential(path, environment)}"`,
    ...more,
  ];
  return html`<pre tabindex="0"><code>${lines.join(" \\\n  ")}</code></pre>`;
}

/** What was refused, why, and at which field. */
export const refusal = ({ title, detail, code, errors = [], request_id }: Problem): Html =>
  html`<div class="refusal" role="alert"><h2>${title}</h2><p>${detail}</p>
${errors.length > 0 && html`<ul>${errors.map(({ path, message }) => html`<li><code>${path}</code> ${message}</li>`)}</ul>`}
<p class="small">${code !== "unknown" && html`<a href="${link(`/errors/${code}`)}"><code>${code}</code></a>`}${request_id !== undefined && html` · request <code>${request_id}</code>`}</p></div>`;

/** The hidden fields of every form: ours, of this session, and of the environment that was on the screen. */
export const hidden = ({ csrf, environment }: Pick<Visit, "csrf" | "environment">): Html =>
  html`<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="environment" value="${environment}">`;

export type Field = {
  readonly name: string;
  readonly label: string;
  readonly value?: string;
  readonly hint?: Shown;
  readonly type?: string;
  readonly options?: readonly (string | readonly [string, string])[];
  readonly rows?: number;
  readonly required?: boolean;
  readonly placeholder?: string;
  readonly autocomplete?: string;
  /** Where a page has several of a name. */
  readonly id?: string;
  /** What the platform said is wrong with it. */
  readonly error?: string | undefined;
};

/** What was refused at this place of the request; undefined where nothing was. */
export function errorAt(problem: Problem | undefined, path: string): string | undefined {
  const found = problem?.errors?.filter((error) => error.path === path) ?? [];
  return found.length === 0 ? undefined : found.map(({ message }) => message).join("; ");
}

/** A labelled field. */
export function field(given: Field): Html {
  const { name, label, value = "", hint, options, rows, required = false, error } = given;
  const id = `f-${(given.id ?? name).replaceAll(/[^a-z0-9]+/gi, "-")}`;
  const about = [
    ...(error === undefined ? [] : [`${id}-error`]),
    ...(hint === undefined ? [] : [`${id}-hint`]),
  ];
  const common = html` id="${id}" name="${name}"${required && html` required`}${error !== undefined && html` aria-invalid="true"`}${about.length > 0 && html` aria-describedby="${about.join(" ")}"`}`;
  const { type = "text", placeholder, autocomplete = "off" } = given;
  const input =
    options !== undefined
      ? html`<select${common}>${options.map((option) => {
          const [key, text] = typeof option === "string" ? [option, option] : option;
          return html`<option value="${key}"${key === value && html` selected`}>${text}</option>`;
        })}</select>`
      : rows !== undefined
        ? html`<textarea${common} rows="${rows}" dir="auto">${value}</textarea>`
        : html`<input type="${type}"${common} value="${value}" autocomplete="${autocomplete}"${placeholder !== undefined && html` placeholder="${placeholder}"`}>`;
  return html`<div class="field"><label for="${id}">${label}</label>${input}${error !== undefined && html`<p class="error" id="${id}-error">${error}</p>`}${hint !== undefined && html`<p class="hint" id="${id}-hint">${hint}</p>`}</div>`;
}
