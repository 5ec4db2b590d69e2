import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import type { Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import { acted, once } from "../view/forms.ts";
import { curl, curlFile, facts, field, pill, refusal, time } from "../view/parts.ts";
import { progress } from "../view/progress.ts";

type Import = Answers["ContactImport"];

const at = `${base}/contacts/import`;

const fileOf = ({ form }: Visit) => form.file("file");
/** What a browser says of a file's type is a guess by its name, and differs from system to system: its name says as much. */
const typeOf = (name: string): string =>
  /\.(?:ndjson|jsonl)$/i.test(name) ? "application/x-ndjson" : "text/csv";

const noFile: Problem = {
  status: 422,
  code: "invalid_request",
  title: "There is no file",
  detail: "Choose the file to import.",
};

const conflicts = [
  ["update", "change what the row gives"],
  ["skip", "leave the contact as it is"],
  ["fail", "make the row an error"],
] as const;

const ask = (visit: Visit, problem?: Problem): Shown =>
  shown(
    "Import contacts",
    html`${problem !== undefined && refusal(problem)}
<form class="sheet" method="post" action="${at}" enctype="multipart/form-data">${once(visit)}
<div class="field"><label for="f-file">File</label><input type="file" id="f-file" name="file" required accept=".csv,text/csv,.ndjson,.jsonl" aria-describedby="f-file-hint"><p class="hint" id="f-file-hint">CSV in UTF-8 with commas, semicolons or tabs, or NDJSON. At most 5 MB here; the call below takes 512 MB.</p></div>
${field({ name: "on_conflict", label: "If a row's contact is there already", value: visit.form.text("on_conflict") || "update", options: conflicts })}
<div class="actions"><button class="main" type="submit">Import</button><a href="${base}/contacts">Back to the contacts</a></div></form>
<section aria-labelledby="columns"><h2 id="columns">What stands in it</h2>
<p>The first line names the columns: <code>name</code>, <code>phone</code>, <code>whatsapp</code>, <code>email</code>, <code>telegram</code>, <code>external_id.crm</code> for ids of a system of yours, <code>language</code>, <code>time_zone</code>, <code>client_ref</code>, <code>tags</code>, <code>attribute.plan</code>. An empty cell says nothing. Numbers need their plus.</p>
<pre tabindex="0"><code>name,phone,email,tags,attribute.plan,external_id.crm
Ada Lovelace,+15551234567,ada@example.com,vip;new,gold,C-204821</code></pre>
<p>A row that is wrong fails alone, and a file of the errors says why. What an export wrote is read back as it was.</p></section>
${curlFile(visit, "/contact-imports?on_conflict=update", "text/csv", "contacts.csv")}`,
    problem?.status,
  );

const begin = async (visit: Visit): Promise<Shown | Led> => {
  const file = fileOf(visit);
  if (file === undefined) return ask(visit, noFile);
  return acted(
    visit,
    async ({ key }) => {
      const query = `?on_conflict=${encodeURIComponent(visit.form.text("on_conflict") || "update")}`;
      const { id } = await visit.api.send<Answers["AcceptedImport"]>(
        "POST",
        `/contact-imports${query}`,
        { file: { type: typeOf(file.name), bytes: file.bytes }, key },
      );
      return { to: `${at}/${id}` };
    },
    (problem) => ask(visit, problem),
  );
};

/** How far an import is. */
async function importing({ api, params, ...visit }: Visit): Promise<Shown> {
  const path = `/contact-imports/${encodeURIComponent(params["id"]!)}`;
  const found = await api.get<Import>(path);
  const goes = found.finished_at === null;
  const here = `${at}/${found.id}`;
  return shown(
    "Import of contacts",
    html`${progress({
      going: goes,
      here,
      body: html`<p class="lead">${pill(found.status)} ${found.rows} ${found.rows === 1 ? "row" : "rows"} ${goes ? "so far" : "taken"}</p>
${goes && html`<div class="notice"><p>You may leave this page: the import goes on.</p></div>`}
${found.error !== null && html`<div class="refusal" role="alert"><h2>The file could not be read to its end</h2><p>${found.error}</p></div>`}
${counts(found)}
${found.failed > 0 && html`<p class="bar"><a class="go" href="${here}/errors" download>Errors as CSV</a></p>`}`,
    })}
<p><a href="${base}/contacts">To the contacts</a> · <a href="${at}">Import another file</a></p>
${curl(visit, "GET", path)}`,
  );
}

const counts = (found: Import): Html =>
  facts([
    ["Made", found.created],
    ["Changed", found.updated],
    ["Left as they were", found.skipped],
    ["Failed", found.failed],
    ["Begun", time(found.created_at)],
    ["Ended", time(found.finished_at)],
    ["Id", html`<code>${found.id}</code>`],
  ]);

const page = (method: Page["method"], path: string, answer: Page["answer"]): Page => ({
  method,
  path: `/contacts/import${path}`,
  section: "/contacts",
  answer,
});

export const contactImports: readonly Page[] = [
  page("GET", "", async (visit) => ask(visit)),
  page("POST", "", begin),
  { ...page("GET", "/:id", importing), live: true },
  page("GET", "/:id/errors", async ({ api, params }) => ({
    file: await api.download(`/contact-imports/${encodeURIComponent(params["id"]!)}/errors`),
  })),
];
