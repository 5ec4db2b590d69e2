import type { IncomingMessage } from "node:http";
import type { Form } from "./live.ts";
import { emptyField, fields } from "./pages/evaluation.ts";

/** Every field of the form at its longest, each character percent-encoded, is less. */
const maxBodyBytes = 32_768;
const deadlineMs = 10_000;

/** `taken`, or the form again with the status of the answer. */
export type Outcome = "taken" | { readonly status: number; readonly form: Form };

/**
 * Whether a form came from a page of ours. Browsers that say where a request comes from are believed; of others the `Origin` has to be the host that was asked. Without
 * either it is a program, which could ask the API itself.
 */
export function isOwn({ headers }: IncomingMessage): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site === "same-origin" || site === "none";
  const { origin, host } = headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

/** Undefined when there is more than any form of ours holds. */
async function readForm(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) return undefined;
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString("utf8"));
}

type Problem = {
  readonly detail?: string;
  readonly errors?: readonly {
    readonly path: string;
    readonly code: string;
    readonly message: string;
  }[];
};

/** Sends what came to `POST /evaluations`. `visitor`: headers that say for whom. */
export async function askEvaluation(
  request: IncomingMessage,
  api: string,
  visitor: Readonly<Record<string, string>>,
): Promise<Outcome> {
  const given = await readForm(request);
  const values = Object.fromEntries(
    [...fields.map(({ name }) => name), emptyField].map((name) => [name, given?.get(name) ?? ""]),
  );
  const token = given?.get("token") ?? "";
  const again = (status: number, faults: Form["faults"], fresh?: string): Outcome => ({
    status,
    form: { token: fresh ?? token, values, faults },
  });
  if (given === undefined) return again(413, { form: "That is more than the form takes." });
  const { [emptyField]: left = "", ...rest } = values;
  const body = {
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value.trim() !== "")),
    form: { token, left_empty: left },
  };
  let response: Response;
  try {
    response = await fetch(`${api}/api/v1/evaluations`, {
      method: "POST",
      headers: { ...visitor, "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(deadlineMs),
    });
  } catch {
    return again(503, {
      form: "The platform does not answer. Nothing is lost: please send it again in a minute.",
    });
  }
  if (response.status === 202) return "taken";
  const problem = (await response.json().catch(() => ({}))) as Problem;
  if (response.status === 429)
    return again(429, {
      form: "Too many requests came from your network. Please send it again later.",
    });
  const faults = faultsOf(problem);
  const needsToken = ["expired", "invalid_value", "used"].includes(faults["token.code"] ?? "");
  const fresh = needsToken ? await freshToken(api) : undefined;
  return again(response.status === 422 ? 422 : 503, faults, fresh);
}

async function freshToken(api: string): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(deadlineMs);
    const response = await fetch(`${api}/api/v1/evaluations/form`, { signal });
    return ((await response.json()) as { token: string }).token;
  } catch {
    return undefined;
  }
}

/** What the API says of the fields, by the names that they have in the form. */
function faultsOf({ errors = [], detail }: Problem): Readonly<Record<string, string>> {
  const faults: Record<string, string> = {};
  for (const { path, code, message } of errors) {
    if (path === "form.token") {
      faults["token.code"] = code;
      faults["form"] =
        code === "too_early"
          ? "That was fast. Please press the button again."
          : "The form had grown old. Please press the button again.";
    } else if (path === "form.left_empty")
      faults[emptyField] = "This field has to stay empty; something filled it in.";
    else faults[path] = code === "required" ? "Please fill this in." : `${message}.`;
  }
  if (errors.length === 0)
    faults["form"] = detail ?? "The platform could not take it. Please send it again.";
  return faults;
}
