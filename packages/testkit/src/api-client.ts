import { readFileSync } from "node:fs";
import { openapiCheck, type Checked } from "./openapi-check.ts";

/** An answer of the REST API: `text` is the body byte for byte, `body` the same as JSON where it is JSON. */
export type ApiAnswer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at answers field by field
  readonly body: any;
};

export type ApiClient = {
  get(path: string): Promise<ApiAnswer>;
  post(
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<ApiAnswer>;
  put(path: string, body: unknown): Promise<ApiAnswer>;
  del(path: string): Promise<ApiAnswer>;
};

type Check = (answer: Checked) => void;
const checks = new Map<string, Promise<Check | undefined>>();

/** Where instances of this checkout are: their document is the one that is checked in, and to make it takes an instance a quarter of its start. */
const ofThisCheckout = new Set<string>();
let checkedIn: Check | undefined;

/** Whether the instance that has started at an address is one of this checkout. */
export function noteInstance(baseUrl: string, isThis: boolean): void {
  checks.delete(baseUrl);
  if (isThis) ofThisCheckout.add(baseUrl);
  else ofThisCheckout.delete(baseUrl);
}

const checkedInDocument = (): object =>
  JSON.parse(
    readFileSync(new URL("../../../schemas/openapi.json", import.meta.url), "utf8"),
  ) as object;

/** Holds answers against the document of the instance that gives them; undefined while it is away, and it is asked for again by the next answer. */
function checkOf(baseUrl: string): Promise<Check | undefined> {
  if (ofThisCheckout.has(baseUrl))
    return Promise.resolve((checkedIn ??= openapiCheck(checkedInDocument())));
  const known = checks.get(baseUrl);
  if (known !== undefined) return known;
  const asked = fetch(`${baseUrl}/api/v1/openapi.json`, { signal: AbortSignal.timeout(35_000) })
    .then(async (answer) => (answer.ok ? openapiCheck((await answer.json()) as object) : undefined))
    .catch(() => undefined)
    .then((check) => {
      if (check === undefined) checks.delete(baseUrl);
      return check;
    });
  checks.set(baseUrl, asked);
  return asked;
}

/** Throws when the answer does not fit. The document is asked for once more before, since another version may have started at the address. */
async function check(baseUrl: string, answer: Checked): Promise<void> {
  try {
    (await checkOf(baseUrl))?.(answer);
  } catch {
    noteInstance(baseUrl, false);
    (await checkOf(baseUrl))?.(answer);
  }
}

/**
 * Calls of one key. Paths are below `/api/v1`. Rejects when there is no answer within 35 s or `timeoutMs`, and when an answer does not fit the instance's OpenAPI document;
 * `checked: false` for an instance of another release, which may not keep to its own.
 */
export function apiClient(
  baseUrl: string,
  key: string,
  {
    checked = true,
    timeoutMs = 35_000,
  }: { readonly checked?: boolean; readonly timeoutMs?: number } = {},
): ApiClient {
  async function call(
    method: string,
    path: string,
    body?: unknown,
    extra: Readonly<Record<string, string>> = {},
  ): Promise<ApiAnswer> {
    const answer = await fetch(`${baseUrl}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { "content-type": "application/json" }),
        ...extra,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await answer.text();
    const { status, headers } = answer;
    if (checked) await check(baseUrl, { method, path: `/api/v1${path}`, status, headers, text });
    const json = /json/.test(answer.headers.get("content-type") ?? "");
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      body: json ? JSON.parse(text) : undefined,
    };
  }
  return {
    get: (path) => call("GET", path),
    post: (path, body = {}, headers) => call("POST", path, body, headers),
    put: (path, body) => call("PUT", path, body),
    del: (path) => call("DELETE", path),
  };
}
