import { setTimeout as pause } from "node:timers/promises";
import { onBehalfHeader, onBehalfOf } from "@heliograph/api";

/** Longer than any wait that we ask for. */
const deadlineMs = 40_000;
const askAgainMs = 200;
/** All contacts of a large partner over a slow line. */
const downloadDeadlineMs = 15 * 60_000;

export type Problem = {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly request_id?: string;
  readonly required_scope?: string;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
};

/** What the platform refused, as it said it. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(`${problem.code}: ${problem.detail}`);
    this.problem = problem;
  }
}

/** The platform does not answer. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

/** The platform's session is over. */
export class SignedOut extends Error {
  override readonly name = "SignedOut";
}

export type Asked = {
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  /** A file in place of `body`. */
  readonly file?: { readonly type: string; readonly bytes: Uint8Array<ArrayBuffer> };
  /** `If-Match`: acts only on what was seen. */
  readonly ifMatch?: string | undefined;
  /** `Idempotency-Key`: one call, however often it is sent. */
  readonly key?: string;
  /** Answers when it is done, or after so many seconds. */
  readonly waitSeconds?: number;
  readonly token?: string;
  readonly signal?: AbortSignal;
};

export type Link = {
  /** Where the REST surface answers. */
  readonly apiUrl: string;
  readonly masterKey: Buffer;
  /** Of the person we call for. */
  readonly ip: string;
};

/** What was answered, and the version of it that a change names in `If-Match`. */
export type Read<Body> = { readonly body: Body; readonly etag: string | undefined };

/** `/messages?status=sent`: a path with what was given of a query. */
export function withQuery(path: string, query: Asked["query"] = {}): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== "") given.set(name, String(value));
  return given.size === 0 ? path : `${path}?${given.toString()}`;
}

/** One call of the REST surface; while the same one is under way elsewhere, its answer is waited for. Rejects with Refused or Unreachable. */
export async function readApi<Body>(
  link: Link,
  method: string,
  path: string,
  asked: Asked = {},
): Promise<Read<Body>> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    try {
      return await callOnce<Body>(link, method, path, asked);
    } catch (error) {
      const going = error instanceof Refused && error.problem.code === "idempotency_in_progress";
      if (!going || performance.now() > deadline) throw error;
      await pause(askAgainMs);
    }
  }
}

/** The same where the version does not matter. */
export const callApi = async <Body>(
  link: Link,
  method: string,
  path: string,
  asked?: Asked,
): Promise<Body> => (await readApi<Body>(link, method, path, asked)).body;

async function callOnce<Body>(
  link: Link,
  method: string,
  path: string,
  asked: Asked,
): Promise<Read<Body>> {
  const answer = await ask(link, method, path, asked);
  const text = await unlessSilent(method, path, answer.text());
  const parsed = text === "" ? undefined : parse(text);
  if (answer.ok) return { body: parsed as Body, etag: answer.headers.get("etag") ?? undefined };
  throw new Refused(problemIn(answer.status, parsed));
}

/** A file of the REST surface, as it comes. Rejects with Refused or Unreachable. */
export async function downloadFrom(link: Link, path: string, asked: Asked): Promise<Response> {
  const answer = await ask(link, "GET", path, asked, downloadDeadlineMs);
  if (answer.ok) return answer;
  throw new Refused(problemIn(answer.status, parse(await answer.text())));
}

const ask = (
  { apiUrl, masterKey, ip }: Link,
  method: string,
  path: string,
  { query, body, file, key, waitSeconds, ifMatch, token, signal }: Asked,
  withinMs = deadlineMs,
): Promise<Response> => {
  const sent = file?.bytes ?? (body === undefined ? undefined : JSON.stringify(body));
  const late = AbortSignal.timeout(withinMs);
  const asked = fetch(`${apiUrl}/api/v1${withQuery(path, query)}`, {
    method,
    redirect: "error",
    signal: signal === undefined ? late : AbortSignal.any([late, signal]),
    headers: {
      [onBehalfHeader]: onBehalfOf(masterKey, ip),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(sent !== undefined && { "content-type": file?.type ?? "application/json" }),
      ...(key !== undefined && { "idempotency-key": key }),
      ...(ifMatch !== undefined && { "if-match": ifMatch }),
      ...(waitSeconds !== undefined && { prefer: `wait=${waitSeconds}` }),
    },
    ...(sent !== undefined && { body: sent }),
  });
  return unlessSilent(method, path, asked);
};

async function unlessSilent<Value>(
  method: string,
  path: string,
  asked: Promise<Value>,
): Promise<Value> {
  try {
    return await asked;
  } catch (error) {
    throw new Unreachable(`${method} ${path}`, { cause: error });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A proxy in between answers in words of its own. */
function problemIn(status: number, parsed: unknown): Problem {
  const told = typeof parsed === "object" && parsed !== null ? (parsed as Partial<Problem>) : {};
  const { code = "unknown", title = `HTTP ${status}`, detail = "No reason was given." } = told;
  return { ...told, status, code, title, detail };
}
