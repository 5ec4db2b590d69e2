import { errorCatalogue } from "@heliograph/contracts";
import type { Crumb, Entry, Origins } from "../entry.ts";
import { examplesOf } from "../examples.ts";
import { html, raw, type Html } from "@heliograph/html";
import type { Api, Call, Parameter, Schema } from "../openapi.ts";

/** Deeper a reader follows the schema itself. */
const maxDepth = 3;
/** A page of the site is below 40 kB with its style; the longest example of all is longer than that alone. */
const maxExampleChars = 3_000;
const maxFields = 45;

/** `Send a message` → `send-a-message`; the method tells two apart that are called the same. */
const slugOf = ({ operationId }: Call): string =>
  operationId.replaceAll(/([a-z0-9])([A-Z])/g, "$1-$2").toLowerCase();

const pathOf = (call: Call): string => `/reference/${call.tags[0]}/${slugOf(call)}`;
const titleOf = ({ summary, method, path }: Call): string =>
  summary ?? `${method.toUpperCase()} ${path}`;

/** Words in backquotes are code, and those that name an error lead to its page. */
export const prose = (text: string): Html =>
  html`${text
    .split(/`([^`]+)`/)
    .map((part, index) =>
      index % 2 === 0
        ? part
        : Object.hasOwn(errorCatalogue, part)
          ? html`<a href="/errors/${part}"><code>${part}</code></a>`
          : html`<code>${part}</code>`,
    )}`;

export const code = (text: string): Html => html`<pre tabindex="0"><code>${text}</code></pre>`;

const verb = ({ method, path }: Call): Html =>
  html`<p class="call"><b class="${method}">${method.toUpperCase()}</b> <code>${path}</code></p>`;

function typeOf(schema: Schema, api: Api): string {
  const { type, enum: values, const: only, anyOf, oneOf, items, format } = api.resolve(schema);
  if (only !== undefined) return JSON.stringify(only);
  if (values !== undefined)
    return values.length <= 8
      ? values.map((value) => String(value)).join(" | ")
      : `one of ${values.length}`;
  const several = anyOf ?? oneOf;
  if (several !== undefined)
    return [...new Set(several.map((each) => typeOf(each, api)))].join(" or ");
  if (items !== undefined) return `list of ${typeOf(items, api)}`;
  return format ?? (Array.isArray(type) ? type.join(" or ") : ((type as string) ?? "any"));
}

type Field = {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly description: string;
};

/** The fields of a schema, those of an object inside under its name. */
function fieldsOf(schema: Schema, api: Api, prefix = "", depth = 0): readonly Field[] {
  const { properties, required = [], allOf, items } = api.resolve(schema);
  if (depth >= maxDepth) return [];
  if (allOf !== undefined) return allOf.flatMap((each) => fieldsOf(each, api, prefix, depth));
  if (items !== undefined) return fieldsOf(items, api, `${prefix.replace(/\.$/, "")}[].`, depth);
  return Object.entries(properties ?? {}).flatMap(([name, property]) => [
    {
      name: `${prefix}${name}`,
      type: typeOf(property, api),
      required: required.includes(name),
      description: api.resolve(property).description ?? "",
    },
    ...fieldsOf(property, api, `${prefix}${name}.`, depth + 1),
  ]);
}

function fieldTable(caption: string, fields: readonly Field[]): Html {
  const shown = fields.slice(0, maxFields);
  return html`<div class="scroll" tabindex="0"><table class="fields"><caption>${caption}</caption><thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">Means</th></tr></thead><tbody>${shown.map(
    ({ name, type, required, description }) =>
      html`<tr><td><code>${name}</code>${required && html` <b>required</b>`}</td><td>${type}</td><td>${prose(description)}</td></tr>`,
  )}</tbody></table></div>${fields.length > shown.length && html`<p>${fields.length - shown.length} more are in the <a href="/schemas/openapi.json">OpenAPI document</a>.</p>`}`;
}

const parameterFields = (parameters: readonly Parameter[], api: Api): readonly Field[] =>
  parameters.map(({ name, required = false, description, schema = {} }) => ({
    name,
    required,
    type: typeOf(schema, api),
    description: description ?? api.resolve(schema).description ?? "",
  }));

/** The languages of an example; one at a time is open. `name`: one on the page for each. */
const examples = (call: Call, origins: Origins, name: string): Html =>
  html`<div class="langs">${examplesOf(call, origins.api).map(
    ({ language, code: text }, index) =>
      html`<details name="${name}"${index === 0 && raw(" open")}><summary>${language}</summary>${code(text)}</details>`,
  )}</div>`;

const shorten = (text: string): string =>
  text.length > maxExampleChars
    ? `${text.slice(0, maxExampleChars).replace(/\n[^\n]*$/, "")}\n…`
    : text;

function answers({ responses }: Call): Html {
  const all = Object.entries(responses);
  const [status, good] = all.find(([each]) => each.startsWith("2")) ?? [];
  const example = good?.content?.["application/json"]?.example;
  return html`<h2 id="answers"><a href="#answers">Answers</a></h2><div class="scroll" tabindex="0"><table><thead><tr><th scope="col">Status</th><th scope="col">When</th></tr></thead><tbody>${all.map(
    ([each, { description = "" }]) => html`<tr><td>${each}</td><td>${prose(description)}</td></tr>`,
  )}</tbody></table></div>${example !== undefined && html`<h3>Body of ${status}</h3>${code(shorten(typeof example === "string" ? example : JSON.stringify(example, undefined, 2)))}`}`;
}

function callBody(call: Call, api: Api, origins: Origins): Html {
  const { description = "", parameters = [], requestBody } = call;
  const bodies = Object.values(requestBody?.content ?? {});
  const fields = bodies[0]?.schema === undefined ? [] : fieldsOf(bodies[0].schema, api);
  const given = parameterFields(parameters, api);
  return html`<h1>${titleOf(call)}</h1>${verb(call)}<p class="lead">${prose(description || "Needs no key.")}</p>${examples(call, origins, "language")}${given.length + fields.length > 0 && html`<h2 id="request"><a href="#request">Request</a></h2>`}${given.length > 0 && fieldTable("Parameters and headers", given)}${fields.length > 0 && fieldTable("Fields of the body", fields)}${answers(call)}`;
}

const referenceCrumb: Crumb = { path: "/reference", title: "API reference" };

function tagEntry(
  { name, description = "" }: Api["tags"][number],
  calls: readonly Call[],
  beside: Entry["beside"],
  origins: Origins,
): Entry {
  const title = `${name[0]!.toUpperCase()}${name.slice(1)}`;
  return {
    path: `/reference/${name}`,
    title,
    description: `API reference, ${name}: ${description}`,
    source: JSON.stringify([
      description,
      calls.map(({ method, path, summary }) => [method, path, summary]),
    ]),
    crumbs: [referenceCrumb],
    kind: "TechArticle",
    ...(beside && { beside }),
    body: () =>
      html`<h1>${title}</h1><p class="lead">${prose(description)}</p>${calls.map(
        (call) =>
          html`<section><h2 id="${slugOf(call)}"><a href="${pathOf(call)}">${titleOf(call)}</a></h2>${verb(call)}<p>${prose(call.description || "Needs no key.")} <a href="${pathOf(call)}">Fields, answers, and the call in Node, Python and PHP<span class="only-read">: ${titleOf(call)}</span></a></p>${code(examplesOf(call, origins.api)[0]!.code)}</section>`,
      )}`,
  };
}

const callEntry = (call: Call, api: Api, beside: Entry["beside"], origins: Origins): Entry => ({
  path: pathOf(call),
  title: titleOf(call),
  description: `${call.method.toUpperCase()} ${call.path}: ${titleOf(call)}. Fields, answers and examples.`,
  source: JSON.stringify(call),
  crumbs: [referenceCrumb, { path: `/reference/${call.tags[0]}`, title: call.tags[0]! }],
  kind: "TechArticle",
  ...(beside && { beside }),
  body: () => callBody(call, api, origins),
});

/** A page for the whole, one for each tag, and one for each operation. */
export function referenceOf(api: Api, origins: Origins): readonly Entry[] {
  const tags = api.tags.filter(({ name }) => api.calls.some((call) => call.tags[0] === name));
  const beside = {
    title: "API reference",
    pages: tags.map(({ name }): Crumb => ({ path: `/reference/${name}`, title: name })),
  };
  const of = (tag: string): readonly Call[] => api.calls.filter((call) => call.tags[0] === tag);
  const index: Entry = {
    path: "/reference",
    title: "API reference",
    description: `Every operation of the REST API of Heliograph, with examples in curl, Node, Python and PHP.`,
    source: JSON.stringify(tags),
    kind: "TechArticle",
    beside,
    body: () =>
      html`<h1>API reference</h1><p class="lead">One REST surface under <code>/api/v1</code>: JSON, keys as bearers, <code>Idempotency-Key</code> on whatever changes something, and errors that say what to do.</p><p>All of it is in one document too: <a href="/schemas/openapi.json">OpenAPI 3.1</a>, and the topics in <a href="/schemas/asyncapi.json">AsyncAPI</a>. <a href="/errors">Errors</a> and <a href="/events">events</a> have pages of their own.</p><ul class="cards">${tags.map(
        ({ name, description = "" }) =>
          html`<li><h2><a href="/reference/${name}">${name}</a></h2><p>${prose(description)}</p><p class="small">${of(name).length} operations</p></li>`,
      )}</ul>`,
  };
  return [
    index,
    ...tags.flatMap((tag) => [
      tagEntry(tag, of(tag.name), beside, origins),
      ...of(tag.name).map((call) =>
        callEntry(
          call,
          api,
          {
            title: tag.name,
            pages: of(tag.name).map((each) => ({ path: pathOf(each), title: titleOf(each) })),
          },
          origins,
        ),
      ),
    ]),
  ];
}
