import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { examplesOf, shownOf } from "../src/examples.ts";
import { ownFiles } from "../src/files.ts";
import { readApi } from "../src/openapi.ts";

const { calls } = readApi(ownFiles);
const withBody = calls.filter(({ requestBody }) => requestBody !== undefined);

/** Where the examples are sent, and with which keys. */
type Target = { readonly api: string; readonly keyFor: (path: string) => string };

/** What a well-formed request meets in a world that is empty: nothing of it is about how it is written. */
const notThere = new Set([
  "not_found",
  "template_not_found",
  "invalid_token",
  "invalid_credentials",
  "session_revoked",
  // Of two examples with one address the second finds it taken.
  "external_id_taken",
  // For agents, operators or administrators.
  "insufficient_scope",
]);

/** A day to snooze until is within a year, and an example stays as it is for longer. */
const isPast = ({ path, code }: { readonly path: string; readonly code: string }): boolean =>
  path === "until" && code === "out_of_range";

/** What the platform says against an example; none when each is taken, or refused for what is not there. */
export async function refusedExamples({ api, keyFor }: Target): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const call of withBody) {
    const { method, url, headers, body } = shownOf(call, api);
    const { Authorization: needsKey, ...others } = headers;
    const authorization = needsKey && { Authorization: `Bearer ${keyFor(call.path)}` };
    const answer = await fetch(url, {
      method,
      headers: { ...others, ...authorization },
      ...(body !== undefined && { body }),
    });
    const text = await answer.text();
    if (answer.status < 400 || !text.startsWith("{")) continue;
    const { code, errors = [] } = JSON.parse(text) as {
      readonly code: string;
      readonly errors?: readonly { readonly path: string; readonly code: string }[];
    };
    const isMissing =
      errors.length > 0
        ? errors.every((each) => notThere.has(each.code) || isPast(each))
        : notThere.has(code);
    if (!isMissing) faults.push(`${method} ${call.path}: ${answer.status} ${text}`);
  }
  return faults;
}

const run = promisify(execFile);
const programs = {
  curl: ["sh", "-c"],
  Node: ["node", "-e"],
  Python: ["python3", "-c"],
  PHP: ["php", "-r"],
} as const;
/** As each program takes it by this option. */
const sourceOf = (language: string, code: string): string =>
  language === "Node"
    ? `(async () => {${code}\n})()`
    : language === "PHP"
      ? code.replace(/^<\?php/, "")
      : code;
/** Whether a program that is here has what its examples need: PHP comes with its extension curl, or without. */
const lacks = (error: Error): boolean => error.message.includes("undefined function curl_init");

/** What the example of `POST /contacts` prints in each language that is here. */
export async function ranExamples({
  api,
  keyFor,
}: Target): Promise<readonly (readonly [language: string, printed: string])[]> {
  const call = calls.find(({ method, path }) => method === "post" && path === "/api/v1/contacts")!;
  const env = { ...process.env, API_KEY: keyFor(call.path) };
  const printed: [string, string][] = [];
  for (const { language, code } of examplesOf(call, api)) {
    const [name, option] = programs[language as keyof typeof programs];
    try {
      const source = sourceOf(language, code);
      printed.push([language, (await run(name, [option, source], { env })).stdout]);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" && !lacks(error as Error)) throw error;
      process.stderr.write(
        `no ${name} here that can run it: the example in ${language} is not run\n`,
      );
    }
  }
  return printed;
}
