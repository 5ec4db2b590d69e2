import type { Form as Posted } from "@heliograph/html";
import type { Form } from "./live.ts";
import { emptyField, fields } from "./pages/evaluation.ts";

const deadlineMs = 10_000;

/** `taken`, or the form again with the status of the answer. */
export type Outcome = "taken" | { readonly status: number; readonly form: Form };

type Problem = {
  readonly detail?: string;
  readonly errors?: readonly {
    readonly path: string;
    readonly code: string;
    readonly message: string;
  }[];
};

/** Sends what a form holds to `POST /evaluations`. `visitor`: headers that say for whom. */
export async function askEvaluation(
  given: Posted | "large",
  api: string,
  visitor: Readonly<Record<string, string>>,
): Promise<Outcome> {
  const exact = (name: string): string => (given === "large" ? "" : given.exact(name));
  const values = Object.fromEntries(
    [...fields.map(({ name }) => name), emptyField].map((name) => [name, exact(name)]),
  );
  const token = exact("token");
  const again = (status: number, faults: Form["faults"], fresh?: string): Outcome => ({
    status,
    form: { token: fresh ?? token, values, faults },
  });
  if (given === "large") return again(413, { form: "That is more than the form takes." });
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
