import { setTimeout as pause } from "node:timers/promises";
import { mostBatchMessages } from "@heliograph/contracts";
import { html, type Html } from "@heliograph/html";
import { readBatch, writeOutcomes, type BatchRow } from "../batch-csv.ts";
import { Refused, type Problem } from "../client.ts";
import { base, shown, type Page, type Shown, type Visit } from "../page.ts";
import type { Api } from "../platform-session.ts";
import type { Accepted } from "../shapes.ts";
import { withTypedVariables } from "../variables.ts";
import { keyed, keyOf, keyOfWords, once } from "../view/forms.ts";
import { bdi, curl, money, pill, table } from "../view/parts.ts";

type Item = {
  readonly index: number;
  readonly status_code: number;
  readonly message?: Accepted;
  readonly replayed?: boolean;
  readonly error?: Problem;
};
type Answer = {
  readonly data: readonly Item[];
  readonly accepted: number;
  readonly refused: number;
};
type Tried = { readonly row: BatchRow; readonly priced?: Accepted; readonly problem?: Problem };

/** So many lines are tried before anything is sent: enough to find what is wrong with a file. */
const maxTried = 25;
/** At once. */
const maxCalls = 5;
const deadlineMs = 30_000;
const askAgainMs = 200;

const example = `to,text,client_ref
+15551230001,"Your parcel is here, in the box.",order-1
+15551230003,It could not be delivered.,order-2`;

const textOf = ({ form }: Visit): string =>
  form.file("file")?.bytes.toString("utf8") ?? form.exact("csv");

type Asked = { readonly key: string; readonly csv?: string; readonly refusal?: string };

function ask(visit: Visit, { key, csv = "", refusal }: Asked): Shown {
  return shown(
    "Send a batch",
    html`${refusal !== undefined && html`<div class="refusal" role="alert"><p>${bdi(refusal)}</p></div>`}
<p>One message a line, under a line with the names of the columns: <code>channel</code> (SMS where it is left out), <code>to</code>, <code>text</code>, or <code>template</code>, <code>language</code> and <code>variables[name]</code>; also <code>subject</code>, <code>from</code>, <code>category</code>, <code>client_ref</code>, <code>send_at</code>. Nothing is sent before you have seen what is in it.</p>
<form class="sheet" method="post" action="${base}/batch" enctype="multipart/form-data">${once(visit, undefined, key)}
<div class="field"><label for="f-csv">Lines</label><textarea id="f-csv" name="csv" rows="8" dir="auto" spellcheck="false" placeholder="${example}">${csv}</textarea></div>
<div class="field"><label for="f-file">Or a file</label><input type="file" id="f-file" name="file" accept=".csv,text/csv" aria-describedby="f-file-hint"><p class="hint" id="f-file-hint">CSV in UTF-8, with commas, semicolons or tabs; at most ${mostBatchMessages.toLocaleString("en")} lines.</p></div>
<div class="actions"><button class="main" type="submit">Look at it</button></div>
</form>
${curl(visit, "POST", "/messages/batch", { messages: [{ channel: "sms", to: "+15551230001", text: "Hello" }] })}`,
    refusal === undefined ? undefined : 422,
  );
}

/** What each of the first lines would do, and cost. */
async function attempt({ api }: Visit, rows: readonly BatchRow[]): Promise<readonly Tried[]> {
  const tried: Tried[] = [];
  for (let at = 0; at < rows.length; at += maxCalls)
    tried.push(
      ...(await Promise.all(
        rows.slice(at, at + maxCalls).map(async (row): Promise<Tried> => {
          try {
            const body = row.message;
            return { row, priced: await api.send("POST", "/messages?dry_run=true", { body }) };
          } catch (error) {
            if (!(error instanceof Refused) || error.problem.status === 403) throw error;
            return { row, problem: error.problem };
          }
        }),
      )),
    );
  return tried;
}

/** With variables as their templates want them. */
async function typed({ api }: Visit, rows: readonly BatchRow[]): Promise<readonly BatchRow[]> {
  const messages = await withTypedVariables(
    api,
    rows.map(({ message }) => message),
  );
  return rows.map((row, at) => ({ ...row, message: messages[at]! }));
}

const why = ({ detail, errors = [] }: Problem): string =>
  [detail, ...errors.map(({ path, message }) => `${path}: ${message}`)].join(" ");
const words = (problem: Problem): Html =>
  html`<strong>${problem.title}</strong> ${bdi(why(problem))}`;

const shownChars = 120;

async function preview(visit: Visit, csv: string, rows: readonly BatchRow[]): Promise<Shown> {
  const tried = await attempt(visit, await typed(visit, rows.slice(0, maxTried)));
  const wrong = tried.filter(({ problem }) => problem !== undefined).length;
  return shown(
    "Send a batch",
    html`<div class="${wrong > 0 ? "refusal" : "notice"}" role="status"><p><strong>${rows.length} ${rows.length === 1 ? "message" : "messages"}</strong>, nothing sent yet. ${tried.length < rows.length && `The first ${tried.length} were tried. `}${wrong > 0 ? `${wrong} of them would be refused: each says why. The others would go.` : "All of them would be accepted."}</p></div>
${table(
  "What would happen",
  [
    { label: "Line", figures: true, cell: ({ row }: Tried) => row.line },
    { label: "To", cell: ({ row }) => bdi(row.to) },
    { label: "What", cell: ({ row }) => bdi(row.about.slice(0, shownChars)) },
    {
      label: "Segments",
      figures: true,
      cell: ({ priced }) => priced?.segments.count ?? "–",
    },
    {
      label: "Outcome",
      cell: ({ priced, problem }) =>
        problem === undefined
          ? priced && money(priced.cost_estimate, priced.currency)
          : words(problem),
    },
  ],
  tried,
)}
<form class="sheet" method="post" action="${base}/batch" enctype="multipart/form-data">${once(visit, undefined, keyOf(visit.form))}<input type="hidden" name="send" value="1">
<details${wrong > 0 && html` open`}><summary>Change it first</summary><div class="field"><label for="f-csv">Lines</label><textarea id="f-csv" name="csv" rows="8" dir="auto" spellcheck="false">${csv}</textarea></div><button type="submit" name="look" value="1">Look at it again</button></details>
<div class="actions"><button class="main" type="submit">${visit.environment === "live" ? "Send them for real" : "Send them in the sandbox"}</button><a href="${base}/batch">Leave it</a></div></form>`,
  );
}

/** The file is in the page: to ask for it would be to send once more what was refused. */
const fileOf = (rows: readonly BatchRow[], data: readonly Item[]): string => {
  const text = writeOutcomes(
    data.map(({ index, message, error }) => ({
      line: rows[index]?.line ?? index + 1,
      to: rows[index]?.to ?? "",
      id: message?.id ?? "",
      status: message?.status ?? "refused",
      code: error?.code ?? "",
      why: error === undefined ? "" : why(error),
    })),
  );
  return `data:text/csv;charset=utf-8,${encodeURIComponent(text)}`;
};

const result = (rows: readonly BatchRow[], { data, accepted, refused }: Answer): Shown =>
  shown(
    "Batch sent",
    html`<div class="${refused > 0 ? "refusal" : "notice"}" role="status"><p><strong>${accepted} accepted</strong>, ${refused} refused. However often this page is loaded again, each of them is one message.</p></div>
<p class="bar"><a download="batch-result.csv" href="${fileOf(rows, data)}">Result as CSV</a></p>
${table(
  "What became of each line",
  [
    { label: "Line", figures: true, cell: ({ index }: Item) => rows[index]?.line ?? index + 1 },
    { label: "To", cell: ({ index }) => bdi(rows[index]?.to) },
    {
      label: "Outcome",
      cell: ({ message, error }) =>
        message === undefined
          ? error && words(error)
          : html`<a href="${base}/messages/${message.id}">${pill(message.status)}</a>`,
    },
  ],
  data,
)}
<p><a href="${base}/batch">Another batch</a> · <a href="${base}/messages">Messages</a></p>`,
  );

/** The answer once all lines have one: of a form that was posted twice at once, the other post may still be at some of them. */
async function sent(api: Api, body: unknown, key: string): Promise<Answer> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const answer = await api.send<Answer>("POST", "/messages/batch", { body, key });
    const going = answer.data.some(({ error }) => error?.code === "idempotency_in_progress");
    if (!going || performance.now() > deadline) return answer;
    await pause(askAgainMs);
  }
}

/** First what would happen; then, with the key of the page on which it began, one send. Its answer is told on the spot: loaded again it is the same answer. */
async function post(visit: Visit): Promise<Shown> {
  const { api, form } = visit;
  const csv = textOf(visit);
  const { rows, refusal } = readBatch(csv);
  if (rows === undefined) return ask(visit, { key: keyOf(form), csv, refusal });
  if (!form.has("send") || form.has("look")) return preview(visit, csv, rows);
  const body = { messages: (await typed(visit, rows)).map(({ message }) => message) };
  return result(rows, await sent(api, body, keyOfWords(form, body)));
}

export const batchPages: readonly Page[] = [
  {
    method: "GET",
    path: "/batch",
    section: "/batch",
    answer: async (visit) => keyed(visit, "/batch", () => ask(visit, { key: keyOf(visit.query) })),
  },
  { method: "POST", path: "/batch", section: "/batch", answer: post },
];
