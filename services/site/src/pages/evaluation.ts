import type { Entry, Origins } from "../entry.ts";
import type { Form, Live } from "../live.ts";
import { html, raw, type Html } from "@heliograph/html";

type Field = {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly type?: "text" | "email" | "url" | "area";
  readonly autocomplete: string;
  readonly max: number;
  readonly optional?: true;
};

/** What is asked, in this order; the names are those of `POST /evaluations`. */
export const fields: readonly Field[] = [
  { name: "company", label: "Company", autocomplete: "organization", max: 200 },
  { name: "name", label: "Your name", autocomplete: "name", max: 200 },
  {
    name: "email",
    label: "E-mail",
    hint: "Your sandbox key comes as a link to this address.",
    type: "email",
    autocomplete: "email",
    max: 254,
  },
  {
    name: "use_case",
    label: "What do you want to send?",
    hint: "A sentence or two: to whom, how often, on which channels.",
    type: "area",
    autocomplete: "off",
    max: 2_000,
  },
  {
    name: "website",
    label: "Website",
    hint: "With https://",
    type: "url",
    autocomplete: "url",
    max: 300,
    optional: true,
  },
  {
    name: "expected_volume",
    label: "Messages a month",
    autocomplete: "off",
    max: 100,
    optional: true,
  },
];

/** The field that people do not see. No browser and no other form has one of this name. */
export const emptyField = "hg_remainder";

function input(
  { name, label, hint, type = "text", autocomplete, max, optional }: Field,
  form: Form,
): Html {
  const fault = form.faults[name];
  const value = form.values[name] ?? "";
  const told = [
    ...(hint === undefined ? [] : [`${name}-hint`]),
    ...(fault === undefined ? [] : [`${name}-fault`]),
  ].join(" ");
  const common = html`id="${name}" name="${name}" maxlength="${max}" autocomplete="${autocomplete}"${!optional && raw(" required")}${told !== "" && html` aria-describedby="${told}"`}${fault !== undefined && raw(' aria-invalid="true"')}`;
  return html`<div class="field"><label for="${name}">${label}${optional && html` <span class="small">optional</span>`}</label>${hint !== undefined && html`<p class="small" id="${name}-hint">${hint}</p>`}${
    type === "area"
      ? html`<textarea rows="4" ${common}>${value}</textarea>`
      : html`<input type="${type}" ${common} value="${value}">`
  }${fault !== undefined && html`<p class="fault" id="${name}-fault">${fault}</p>`}</div>`;
}

/** Hidden from everybody, until something has come in it: then whoever it was is a person who may clear it. */
const trap = ({ faults, values }: Form): Html =>
  faults[emptyField] === undefined
    ? html`<div class="apart" aria-hidden="true"><label for="${emptyField}">Leave this empty</label><input type="text" id="${emptyField}" name="${emptyField}" tabindex="-1" autocomplete="off" value=""></div>`
    : html`<div class="field"><label for="${emptyField}">Please clear this field</label><input type="text" id="${emptyField}" name="${emptyField}" autocomplete="off" aria-invalid="true" aria-describedby="${emptyField}-fault" value="${values[emptyField] ?? ""}"><p class="fault" id="${emptyField}-fault">${faults[emptyField]}</p></div>`;

function formOf(form: Form): Html {
  const faults = Object.keys(form.faults).length;
  return html`${faults > 0 && html`<p class="state bad" role="alert"><b>${form.faults["form"] ?? "Not sent yet: please look at what is marked."}</b></p>`}<form method="post" action="/evaluation"><input type="hidden" name="token" value="${form.token}">${fields.map((field) => input(field, form))}${trap(form)}<p><button class="button" type="submit">Ask for an evaluation</button></p></form>`;
}

const away: Html = html`<p class="state bad"><b>The form cannot be sent from here</b></p><p>The API did not answer this page, or this is a copy that cannot send. The same request by hand:</p>`;

export function evaluationOf({ api }: Origins): Entry {
  const curl = `curl ${api}/api/v1/evaluations \\
  -H 'Content-Type: application/json' \\
  -d '{"company":"Acme","name":"Ada","email":"ada@acme.example",
       "use_case":"Order updates by SMS"}'`;
  const body = ({ form }: Live): Html =>
    html`<h1>Ask for an evaluation</h1><p class="lead">You get a sandbox of your own within a minute, and a technical contact within one business day.</p>${form?.token === undefined ? away : formOf(form)}<h2>By the API</h2><pre tabindex="0"><code>${curl}</code></pre><h2>What happens then</h2><ul><li>A mail with a link that shows your sandbox key once, and only when you press its button.</li><li>A person who knows the platform writes to you, and stays your contact.</li><li>Nothing else, and no newsletter. Your name, your address and what you write are kept encrypted.</li></ul><p><a href="/docs/guides/evaluations">More about evaluations</a></p>`;
  return {
    path: "/evaluation",
    title: "Ask for an evaluation",
    description:
      "Ask for an evaluation of Heliograph: a sandbox key within a minute and a technical contact within one business day.",
    source: String(body({ form: { token: "", values: {}, faults: {} } })),
    needs: "form",
    body,
  };
}

/** Where a form that was taken leads: a reload of it sends nothing. */
export const requested: Entry = {
  path: "/evaluation/requested",
  title: "Look into your mail",
  description: "Your request for an evaluation of Heliograph has arrived.",
  source: "requested",
  body: () =>
    html`<h1>Look into your mail</h1><p class="lead">Your request has arrived. Within a minute there is a mail with a link to your sandbox key.</p><p>Until then: <a href="/docs/guides/first-message">send a first message</a>, or <a href="/docs/guides/sandbox">what the sandbox can do</a>.</p>`,
};
