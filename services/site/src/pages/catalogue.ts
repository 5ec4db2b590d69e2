import { errorCatalogue, errorNotes, type ErrorCode } from "@heliograph/contracts";
import { lifecycleTypes, type LifecycleType } from "@heliograph/domain";
import type { Entry } from "../entry.ts";
import { html } from "@heliograph/html";
import type { Api } from "../openapi.ts";
import { code as codeBlock, prose } from "./reference.ts";

const codes = Object.keys(errorCatalogue) as readonly ErrorCode[];

const errorList: Entry = {
  path: "/errors",
  title: "Errors",
  description: "Every error that the API of Heliograph answers with, and what to do about it.",
  source: JSON.stringify([errorCatalogue]),
  kind: "TechArticle",
  body: () =>
    html`<h1>Errors</h1><p class="lead">Every refusal is <code>application/problem+json</code> with a <code>code</code> to decide by and a <code>doc_url</code> that leads to a page here.</p><div class="scroll" tabindex="0"><table><thead><tr><th scope="col">Code</th><th scope="col">Status</th><th scope="col">Means</th></tr></thead><tbody>${codes.map(
      (code) =>
        html`<tr><td><a href="/errors/${code}"><code>${code}</code></a></td><td>${errorCatalogue[code].status}</td><td>${errorCatalogue[code].title}</td></tr>`,
    )}</tbody></table></div><p>Retry after 408, 409 <code>idempotency_in_progress</code>, 429, 500 and 503, with the same <code>Idempotency-Key</code>, after <code>Retry-After</code> where it is given.</p>`,
};

const retried: ReadonlySet<number> = new Set([408, 429, 500, 503]);

const errorEntry = (code: ErrorCode): Entry => {
  const { status, title } = errorCatalogue[code];
  const again = retried.has(status) || code === "idempotency_in_progress";
  return {
    path: `/errors/${code}`,
    title,
    description: `The error ${code}, HTTP status ${status}: ${title}. What it means and what to do about it.`,
    source: JSON.stringify([code, status, title, errorNotes[code]]),
    crumbs: [{ path: "/errors", title: "Errors" }],
    kind: "TechArticle",
    beside: {
      title: "Errors",
      pages: codes.map((each) => ({ path: `/errors/${each}`, title: each })),
    },
    body: () =>
      html`<h1>${title}</h1><p class="call"><b class="status">${status}</b> <code>${code}</code></p><p class="lead">${prose(errorNotes[code])}</p><h2>Try it again?</h2><p>${again ? "Yes: the same request with the same Idempotency-Key, after Retry-After where it is given." : "Not as it stands: the same request is refused again until what it is about has changed."}</p><h2>How it arrives</h2>${codeBlock(
        JSON.stringify(
          {
            type: `…/errors/${code}`,
            title,
            status,
            detail: "What is wrong in this very request.",
            instance: "/api/v1/messages",
            code,
            request_id: "req_5f0c1e",
            doc_url: `…/errors/${code}`,
          },
          undefined,
          2,
        ),
      )}<p>Decide by <code>code</code>: <code>detail</code> is for people and may change. Give support the <code>request_id</code>.</p>`,
  };
};

const types = Object.entries(lifecycleTypes) as readonly (readonly [LifecycleType, string])[];

const eventList: Entry = {
  path: "/events",
  title: "Events",
  description: "Every lifecycle event that webhooks deliver and the feed lists, with its body.",
  source: JSON.stringify([lifecycleTypes]),
  kind: "TechArticle",
  body: () =>
    html`<h1>Events</h1><p class="lead">What happens to messages, contacts and conversations, as webhooks deliver it and <code>GET /events</code> lists it, byte for byte the same.</p><div class="scroll" tabindex="0"><table><thead><tr><th scope="col">Type</th><th scope="col">When</th></tr></thead><tbody>${types.map(
      ([type, means]) =>
        html`<tr><td><a href="/events/${type}"><code>${type}</code></a></td><td>${means}</td></tr>`,
    )}</tbody></table></div><p><a href="/docs/guides/receive-webhooks">Receive webhooks</a>, or <a href="/docs/guides/events">follow the feed</a>. Each <code>data</code> field by field: <a href="/docs/reference/lifecycle-events">lifecycle events</a>.</p>`,
};

const eventEntry = (type: LifecycleType, means: string, { webhooks }: Api): Entry => {
  const example = webhooks[type]?.post.requestBody?.content["application/json"]?.example;
  return {
    path: `/events/${type}`,
    title: type,
    description: `The lifecycle event ${type}. ${means}`,
    source: JSON.stringify([type, means, example]),
    crumbs: [{ path: "/events", title: "Events" }],
    kind: "TechArticle",
    beside: {
      title: "Events",
      pages: types.map(([each]) => ({ path: `/events/${each}`, title: each })),
    },
    body: () =>
      html`<h1><code>${type}</code></h1><p class="lead">${means}</p><h2>What arrives</h2>${codeBlock(JSON.stringify(example, undefined, 2))}<h2>How to treat it</h2><ul><li>Deliveries repeat: an <code>id</code> that you have seen is the same event.</li><li><code>sequence</code> is the order, per partner and environment.</li><li>Fields may be added; none is renamed or removed.</li></ul><p><a href="/docs/guides/receive-webhooks">Verify the signature</a> before you believe it. All fields: <a href="/docs/reference/lifecycle-events">lifecycle events</a>.</p>`,
  };
};

/** A page for each error, to which `doc_url` leads, and for each lifecycle event. */
export const catalogueOf = (api: Api): readonly Entry[] => [
  errorList,
  ...codes.map(errorEntry),
  eventList,
  ...types.map(([type, means]) => eventEntry(type, means, api)),
];
