import type { Schema } from "./answer-types.ts";

type Content = Readonly<Record<string, { readonly schema?: Schema; readonly example?: unknown }>>;
type Parameter = {
  readonly in: string;
  readonly name: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Schema;
};
type DocumentOperation = {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly security?: readonly unknown[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
};
/** What the clients are made from. */
export type ClientDocument = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
  readonly webhooks: Readonly<
    Record<string, { readonly post: { readonly requestBody: { readonly content: Content } } }>
  >;
};

/** What a caller may say beside the request itself, by the header that says it. */
const optionHeaders = {
  "Idempotency-Key": "idempotencyKey",
  Prefer: "wait",
  "If-Match": "ifMatch",
  "If-None-Match": "ifNoneMatch",
  "Min-Log-Position": "minLogPosition",
} as const;
export type CallOption = (typeof optionHeaders)[keyof typeof optionHeaders];

export type Query = {
  readonly name: string;
  readonly required: boolean;
  readonly description: string;
  readonly schema: Schema;
  /** Values separated by commas: a client takes an array too. */
  readonly many: boolean;
};

/** One operation as every client shows it, whatever the client is written in. */
export type Operation = {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  /** Where a client has it: `["webhookEndpoints", "deliveries", "list"]`. */
  readonly name: readonly string[];
  readonly summary: string;
  readonly tag: string;
  /** The parameters of the path, in its order. */
  readonly params: readonly string[];
  readonly query: readonly Query[];
  readonly options: readonly CallOption[];
  readonly body?: {
    readonly kind: "json" | "bytes" | "form";
    readonly required: boolean;
    readonly schema: Schema;
    readonly types: readonly string[];
    readonly example?: unknown;
  };
  /** What is answered as JSON, one schema for each status. */
  readonly answers: readonly Schema[];
  /** The media types of what is answered otherwise. */
  readonly otherTypes: readonly string[];
  /** The schema of one entry, where the answer is a page that a cursor leads on from. */
  readonly entry?: Schema;
  readonly isPublic: boolean;
};

const json = "application/json";
const form = "application/x-www-form-urlencoded";
const methods: Readonly<Record<string, string>> = {
  get: "get",
  post: "create",
  put: "set",
  patch: "update",
  delete: "delete",
};
/** Where the rule would give a name that nobody looks for. */
const names: Readonly<Record<string, readonly string[]>> = {
  postMessages: ["messages", "send"],
  postMessagesBatch: ["messages", "sendBatch"],
  postConversationsIdMessages: ["conversations", "reply"],
  putContactsByExternalIdSourceExternalId: ["contacts", "byExternalId", "upsert"],
  deleteContactsId: ["contacts", "erase"],
  postSuppressions: ["suppressions", "add"],
  deleteSuppressionsId: ["suppressions", "remove"],
  getEvents: ["events", "page"],
  postWalletTopups: ["wallet", "topUp"],
  postSandboxReceipts: ["sandbox", "receipt"],
  postConversationsIdNotes: ["conversations", "note"],
  postAdminPartnersIdAdjustments: ["admin", "partners", "adjust"],
  putAdminPrices: ["admin", "prices", "publish"],
};

const camel = (text: string): string =>
  text.replaceAll(/[^A-Za-z0-9]+([A-Za-z0-9])/g, (_, letter: string) => letter.toUpperCase());
const capital = (text: string): string => text[0]!.toUpperCase() + text.slice(1);
const isParam = (segment: string): boolean => segment.startsWith("{");

/** Every operation of the document. Throws when two would have one name, or a name would be a group too. */
export function operationsOf(document: ClientDocument): readonly Operation[] {
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) =>
      operationOf(document, path, method, operation),
    ),
  );
  const taken = new Map<string, string>();
  for (const { id, name } of operations) {
    const at = name.join(".");
    const other = taken.get(at);
    if (other) throw new Error(`${id} and ${other} would both be ${at}`);
    taken.set(at, id);
  }
  for (const { id, name } of operations)
    for (let end = 1; end < name.length; end++) {
      const group = name.slice(0, end).join(".");
      if (taken.has(group)) throw new Error(`${group} would be ${taken.get(group)} and hold ${id}`);
    }
  return operations;
}

function operationOf(
  document: ClientDocument,
  path: string,
  method: string,
  operation: DocumentOperation,
): Operation {
  const { operationId, summary, requestBody, parameters = [], responses } = operation;
  const contents = Object.entries(responses).flatMap(([status, { content }]) =>
    status.startsWith("2") && content ? [content] : [],
  );
  const answers = contents.flatMap((content) => content[json]?.schema ?? []);
  const query = parameters.filter(isQuery).map(queryOf);
  const entry = answers.length === 1 ? entryOf(document, answers[0]!, query) : undefined;
  const options = parameters.flatMap(({ in: place, name }) =>
    place === "header" && name in optionHeaders
      ? [optionHeaders[name as keyof typeof optionHeaders]]
      : [],
  );
  return {
    id: operationId,
    method: method.toUpperCase(),
    path,
    name: names[operationId] ?? nameOf(document, path, method, entry !== undefined, answers),
    summary,
    tag: operation.tags[0]!,
    params: [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!),
    query,
    options,
    ...(requestBody && { body: bodyOf(requestBody) }),
    answers,
    otherTypes: [...new Set(contents.flatMap((content) => Object.keys(content)))].filter(
      (type) => type !== json,
    ),
    ...(entry && { entry }),
    isPublic: operation.security?.length === 0,
  };
}

/** A second name of a parameter is for those who type; a client has one for each thing. */
const isQuery = ({ in: place, description = "" }: Parameter): boolean =>
  place === "query" && !description.startsWith("Another name of");

const queryOf = ({ name, required = false, description = "", schema }: Parameter): Query => ({
  name,
  required,
  description,
  schema,
  many: description.includes("separated by commas"),
});

function bodyOf({
  required = false,
  content,
}: NonNullable<DocumentOperation["requestBody"]>): NonNullable<Operation["body"]> {
  const types = Object.keys(content);
  const kind = types.includes(json) ? "json" : types.includes(form) ? "form" : "bytes";
  const { schema = {}, example } = content[types[0]!]!;
  return { kind, required, schema, types, ...(example !== undefined && { example }) };
}

const resolved = ({ components }: ClientDocument, schema: Schema): Schema =>
  schema.$ref === undefined ? schema : (components.schemas[schema.$ref.split("/").at(-1)!] ?? {});

/** The feed's cursor never ends, so its page is no list. */
function entryOf(
  document: ClientDocument,
  answer: Schema,
  query: readonly Query[],
): Schema | undefined {
  const { data, next_cursor: next } = resolved(document, answer).properties ?? {};
  const ends = Array.isArray(next?.type) && next.type.includes("null");
  return ends && query.some(({ name }) => name === "after") ? data?.items : undefined;
}

/**
 * By the path, so that it stays when others come. What has children, ids below it or several methods is a group, and the method is named for what it does;
 * anything else is a method of what stands before it: `messages.cancel`, `wallet.proof`.
 */
function nameOf(
  document: ClientDocument,
  path: string,
  method: string,
  isList: boolean,
  answers: readonly Schema[],
): readonly string[] {
  const own = path.startsWith("/api/v1/") ? path.slice("/api/v1/".length) : `root${path}`;
  const segments = own.split("/");
  const fixed = segments.filter((segment) => !isParam(segment)).map(camel);
  const last = segments.at(-1)!;
  const hasChildren = Object.keys(document.paths).some((other) => other.startsWith(`${path}/`));
  const several = Object.keys(document.paths[path]!).length > 1;
  const verb = methods[method]!;
  if (isParam(last)) return [...fixed, verb];
  if (hasChildren || several || isList) {
    const many = answers.some((answer) => resolved(document, answer).properties?.["data"]?.items);
    return [...fixed, method === "get" && many ? "list" : verb];
  }
  const noun = fixed.pop()!;
  const isAction = method === "get" || method === "post";
  return [...fixed, isAction ? noun : `${verb}${capital(noun)}`];
}
