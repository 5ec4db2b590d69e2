import { inWords, webhookAnswerMs, webhookDelaysMs } from "@heliograph/contracts";
import { html, type Html, type Form } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { checks, ticked } from "../view/forms.ts";
import { field } from "../view/parts.ts";

export type Endpoint = Answers["WebhookEndpoint"];
type Filters = NonNullable<Endpoint["filters"]>;
type Metadata = NonNullable<Filters["metadata"]>;
type Value = string | number | boolean;
export type Types = Answers["LifecycleEventTypes"]["data"];

/** A form's fields as they were typed, or as the endpoint has them. */
export type Typed = {
  readonly url: string;
  readonly description: string;
  readonly rate: string;
  readonly atOnce: string;
  readonly asymmetric: boolean;
  readonly timestampedIn: string;
  readonly inOrder: boolean;
  readonly atATime: string;
  readonly waitMs: string;
  readonly http2: boolean;
  readonly types: readonly string[];
  readonly channels: readonly string[];
  readonly tags: string;
  readonly metadata: string;
};

export const typedOf = (form: Form): Typed => ({
  url: form.text("url"),
  description: form.text("description"),
  rate: form.text("rate_limit"),
  atOnce: form.text("concurrency_limit"),
  asymmetric: ticked(form, "signatures").includes("v1a"),
  timestampedIn: form.text("timestamped_signature_header"),
  inOrder: ticked(form, "ordering").includes("per_subject"),
  atATime: form.text("batch_max_events"),
  waitMs: form.text("batch_max_wait_ms"),
  http2: ticked(form, "connection").includes("http2"),
  types: ticked(form, "types"),
  channels: ticked(form, "channels"),
  tags: form.text("tags"),
  metadata: form.text("metadata"),
});

export const typedAs = ({ filters, ...endpoint }: Endpoint): Typed => ({
  url: endpoint.url,
  description: endpoint.description ?? "",
  rate: String(endpoint.rate_limit ?? ""),
  atOnce: String(endpoint.concurrency_limit ?? ""),
  asymmetric: endpoint.asymmetric_signature,
  timestampedIn: endpoint.timestamped_signature_header ?? "",
  inOrder: endpoint.ordering === "per_subject",
  atATime: String(endpoint.batch?.max_events ?? ""),
  waitMs: String(endpoint.batch?.max_wait_ms ?? ""),
  http2: endpoint.http2,
  types: endpoint.event_types,
  channels: filters?.channels ?? [],
  tags: filters?.tags?.join("\n") ?? "",
  metadata: metadataText(filters?.metadata ?? {}),
});

const isLine = (text: string): boolean => text.trim() === text && !/[\r\n]/.test(text);

/** A line for each value: keys and texts as they are, but in quotes where they would read as something else. */
const metadataText = (metadata: Metadata): string =>
  Object.entries(metadata)
    .flatMap(([key, values]) =>
      [values].flat().map((value) => `${keyText(key)}: ${valueText(value)}`),
    )
    .join("\n");
const keyText = (key: string): string =>
  isLine(key) && !/[:"]/.test(key) ? key : JSON.stringify(key);
const valueText = (value: Value): string => {
  const text = String(value);
  return isLine(text) && valueOf(text) === value ? text : JSON.stringify(value);
};

function valueOf(text: string): Value {
  try {
    const value: unknown = JSON.parse(text);
    if (["string", "number", "boolean"].includes(typeof value)) return value as Value;
  } catch {
    // Text as most people write it.
  }
  return text;
}

const metadataLine = /^\s*("(?:[^"\\]|\\.)*"|[^:]+?)\s*:\s*(.*?)\s*$/;

function metadataOf(text: string): Metadata {
  const values = new Map<string, Value[]>();
  for (const line of text.split(/\r?\n/)) {
    const [, typed, value] = metadataLine.exec(line) ?? [];
    if (typed === undefined) continue;
    const key = typed.startsWith('"') ? String(valueOf(typed)) : typed;
    values.set(key, [...(values.get(key) ?? []), valueOf(value!)]);
  }
  return Object.fromEntries(
    [...values].map(([key, list]) => [key, list.length === 1 ? list[0]! : list]),
  );
}

/** A line each: a tag may hold blanks and commas. */
const tagsOf = (text: string): string[] =>
  text
    .split(/\r?\n/)
    .map((tag) => tag.trim())
    .filter((tag) => tag !== "");

function filtersOf({ channels, tags, metadata }: Typed): Filters | null {
  const [tagged, keyed] = [tagsOf(tags), metadataOf(metadata)];
  const filters: Filters = {
    ...(channels.length > 0 && { channels }),
    ...(tagged.length > 0 && { tags: tagged }),
    ...(Object.keys(keyed).length > 0 && { metadata: keyed }),
  };
  return Object.keys(filters).length === 0 ? null : filters;
}

const numberOf = (text: string): number | null => (text === "" ? null : Number(text));

const batchOf = ({ atATime, waitMs }: Typed) =>
  atATime === ""
    ? null
    : { max_events: Number(atATime), ...(waitMs !== "" && { max_wait_ms: Number(waitMs) }) };

/** What the form asks for; null takes a setting away. */
export const changeOf = (typed: Typed) => ({
  url: typed.url,
  event_types: typed.types,
  filters: filtersOf(typed),
  description: typed.description || null,
  rate_limit: numberOf(typed.rate),
  concurrency_limit: numberOf(typed.atOnce),
  asymmetric_signature: typed.asymmetric,
  timestamped_signature_header: typed.timestampedIn || null,
  ordering: typed.inOrder ? ("per_subject" as const) : null,
  batch: batchOf(typed),
  http2: typed.http2,
});

/** The same for an endpoint that is made: what is not filled in is left out. */
export const settingsOf = (typed: Typed): object =>
  Object.fromEntries(Object.entries(changeOf(typed)).filter(([, value]) => value !== null));

const channelNames = ["sms", "whatsapp", "email", "push", "telegram", "broadcast"];

const triedForMs = webhookDelaysMs.reduce((sum, each) => sum + each, 0);
const answersHint = `Answers 2xx within ${inWords(webhookAnswerMs)}; anything else is tried again for ${inWords(triedForMs)}.`;

export function settingFields(typed: Typed, types: Types): Html {
  const names = types.map(({ type }) => type);
  const families = [...new Set(names.map((name) => `${name.slice(0, name.indexOf("."))}.*`))];
  return html`${field({ name: "url", label: "Address", value: typed.url, type: "url", required: true, placeholder: "https://example.com/hooks/heliograph", hint: answersHint })}
${field({ name: "description", label: "What it is for", value: typed.description })}
${field({ name: "rate_limit", label: "Most requests a second", value: typed.rate, type: "number", hint: "Left empty: as fast as it answers." })}
${field({ name: "concurrency_limit", label: "Most requests at once", value: typed.atOnce, type: "number", hint: "Left empty: as many as it has earned by answering, 32 at most." })}
${checks("Signatures", "signatures", [["v1a", "Ed25519 too, which a public key verifies"]], () => typed.asymmetric)}
${field({ name: "timestamped_signature_header", label: "A header for t=…,v1=…", value: typed.timestampedIn, placeholder: "X-Acme-Signature", hint: "For receivers that come from another platform. Left empty: none." })}
${checks("Order", "ordering", [["per_subject", "The next event of a message waits for the one before"]], () => typed.inOrder, "Of each message, contact and conversation. Others do not wait.")}
${field({ name: "batch_max_events", label: "Most events in a request", value: typed.atATime, type: "number", hint: "Up to 100, as a list. Left empty: a request for each. Not together with the order above." })}
${field({ name: "batch_max_wait_ms", label: "How long the first of them waits", value: typed.waitMs, type: "number", hint: "In milliseconds. Left empty: a second." })}
${checks("Connection", "connection", [["http2", "HTTP/2, where the receiver chooses it"]], () => typed.http2, "Over https:// alone.")}
${checks(
  "What it is told",
  "types",
  [...families, ...names].map((name) => [name, html`<code>${name}</code>`] as const),
  (type) => typed.types.includes(type),
  "None ticked: everything, also what is new.",
)}
${checks(
  "Only of these channels",
  "channels",
  channelNames.map((channel) => [channel, channel] as const),
  (channel) => typed.channels.includes(channel),
  "None ticked: all. With one ticked, what has no channel, such as the wallet, is not told.",
)}
${field({ name: "tags", label: "Only with one of these tags", value: typed.tags, rows: 2, hint: "A line each. Left empty: whatever the tags." })}
${field({ name: "metadata", label: "Only with this metadata", value: typed.metadata, rows: 3, hint: "A line for each value, as in shop: acme. Every key has to be there, with one of its values." })}`;
}

/** The filters in words. */
export function filtersTold({ filters }: Endpoint): Html | string {
  if (filters === null) return "whatever its channel, tags and metadata";
  const { channels, tags, metadata } = filters;
  const parts = [channels?.join(" or "), tags?.map((tag) => `#${tag}`).join(" or ")];
  const keys = metadata === undefined ? [] : metadataText(metadata).split("\n");
  return html`<bdi>${[...parts, ...keys].filter(Boolean).join("; ")}</bdi>`;
}

/** What verifies `v1a`. */
export const publicKeysTold = ({ public_keys }: Endpoint): Html | string =>
  public_keys.length === 0
    ? "none: the secret signs alone"
    : html`${public_keys.map(({ public_key }) => html`<code>${public_key}</code> `)}`;
