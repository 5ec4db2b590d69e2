import { buildDocument, hostService, type Route, type Service } from "@heliograph/api";
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
type Group = NonNullable<Service["api"]>["groups"][number];
/** A route with its group, and the addresses that it fits. */
type Place = { readonly route: Route; readonly group: Group; readonly form: RegExp };

const checks: { readonly routes: readonly Route[]; readonly check: Check }[] = [];

/** What holds answers against the document of these routes: made once for all worlds of a process. */
function checkOf(places: readonly Place[]): Check {
  const made = checks.find(
    ({ routes }) =>
      routes.length === places.length &&
      routes.every((route, index) => route === places[index]!.route),
  );
  if (made) return made.check;
  const groups = places.map(({ route, group }) => ({ ...group, routes: [route] }));
  const check = openapiCheck(buildDocument([{ name: "called", api: { groups } }]));
  checks.push({ routes: places.map(({ route }) => route), check });
  return check;
}

const placesOf = (services: readonly Service[]): readonly Place[] =>
  services
    .flatMap(({ api }) => api?.groups ?? [])
    .flatMap((group) => group.routes.map((route) => ({ route, group, form: formOf(route) })));

function formOf({ root, path }: Route): RegExp {
  const address = `${root ? "" : "/api/v1"}${path}`.replaceAll(".", "\\.");
  return new RegExp(`^${address.replaceAll(/:\w+/g, "[^/]+")}$`);
}

/** Calls of a port at which these services are served. */
export function checkedCalls(services: readonly Service[], port: () => number): ApiCall {
  // A test calls a few routes of many, and the document of all takes longer than most tests.
  let places: readonly Place[] | undefined;
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
    places ??= placesOf([...services, hostService]);
    const address = path.split("?")[0]!;
    const called = places.filter(({ form }) => form.test(address));
    if (called.length > 0) checkOf(called)({ method, path, status, headers, text });
    const json = /[/+]json/.test(headers.get("content-type") ?? "");
    return { status, headers, text, body: json ? JSON.parse(text) : undefined };
  };
}
