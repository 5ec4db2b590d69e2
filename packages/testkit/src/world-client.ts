import { buildDocument, hostService, type Service } from "@heliograph/api";
import type { ApiAnswer } from "./api-client.ts";
import { openapiCheck } from "./openapi-check.ts";

export type CallOptions = {
  readonly key?: string;
  readonly body?: unknown;
  /** Instead of a body that becomes JSON. */
  readonly raw?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
};
/** One call of the API; rejects when the answer is not as the OpenAPI document has it. */
export type ApiCall = (method: string, path: string, options?: CallOptions) => Promise<ApiAnswer>;

type Check = ReturnType<typeof openapiCheck>;
const checks: { readonly services: readonly Service[]; readonly check: Check }[] = [];

/** The document of some services and what holds answers against it: made once for all worlds of a process that serve the same, because it takes longer than most tests. */
function checkOf(services: readonly Service[]): Check {
  const made = checks.find(
    (entry) =>
      entry.services.length === services.length &&
      entry.services.every((service, index) => service === services[index]),
  );
  if (made) return made.check;
  const check = openapiCheck(buildDocument([...services, hostService]));
  checks.push({ services: [...services], check });
  return check;
}

/** Calls of a port at which these services are served. */
export function checkedCalls(services: readonly Service[], port: () => number): ApiCall {
  const check = checkOf(services);
  return async (method, path, options = {}) => {
    const hasBody = options.body !== undefined || options.raw !== undefined;
    const answer = await fetch(`http://127.0.0.1:${port()}${path}`, {
      method,
      headers: {
        ...(options.key !== undefined && { authorization: `Bearer ${options.key}` }),
        ...(hasBody && { "content-type": "application/json" }),
        ...options.headers,
      },
      ...(hasBody && { body: options.raw ?? JSON.stringify(options.body) }),
    });
    const { status, headers } = answer;
    const text = await answer.text();
    check({ method, path, status, headers, text });
    const json = /[/+]json/.test(headers.get("content-type") ?? "");
    return { status, headers, text, body: json ? JSON.parse(text) : undefined };
  };
}
