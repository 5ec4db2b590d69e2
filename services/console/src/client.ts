import { setTimeout as pause } from "node:timers/promises";
import { onBehalfHeader, onBehalfOf } from "@heliograph/api";

/** Longer than any wait that we ask for. */
const deadlineMs = 40_000;
const askAgainMs = 200;

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
  /** `Idempotency-Key`: one call, however often it is sent. */
  readonly key?: string;
  /** Answers when it is done, or after so many seconds. */
  readonly waitSeconds?: number;
  readonly token?: string;
};

export type Link = {
  /** Where the REST surface answers. */
  readonly apiUrl: string;
  readonly masterKey: Buffer;
  /** Of the person we call for. */
  readonly ip: string;
};

/** `/messages?status=sent`: a path with what was given of a query. */
export function withQuery(path: string, query: Asked["query"] = {}): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== "") given.set(name, String(value));
  return given.size === 0 ? path : `${path}?${given.toString()}`;
}

/** One call of the REST surface; while the same one is under way elsewhere, its answer is waited for. Rejects with Refused or Unreachable. */
export async function callApi<Body>(
  link: Link,
  method: string,
  path: string,
  asked: Asked = {},
): Promise<Body> {
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

async function callOnce<Body>(
  { apiUrl, masterKey, ip }: Link,
  method: string,
  path: string,
  { query, body, key, waitSeconds, token }: Asked = {},
): Promise<Body> {
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(`${apiUrl}/api/v1${withQuery(path, query)}`, {
      method,
      redirect: "error",
      signal: AbortSignal.timeout(deadlineMs),
      headers: {
        [onBehalfHeader]: onBehalfOf(masterKey, ip),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(key !== undefined && { "idempotency-key": key }),
        ...(waitSeconds !== undefined && { prefer: `wait=${waitSeconds}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    text = await answer.text();
  } catch (error) {
    throw new Unreachable(`${method} ${path}`, { cause: error });
  }
  const parsed = text === "" ? undefined : parse(text);
  if (answer.ok) return parsed as Body;
  throw new Refused(problemIn(answer.status, parsed));
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
