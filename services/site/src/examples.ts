import type { Call, Parameter } from "./openapi.ts";

/** A call as a program makes it. */
type Shown = {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
};

export type Example = { readonly language: string; readonly code: string };

/** Where the shell, and so every program that it starts, finds the key. */
const keyVariable = "API_KEY";

const valueOf = ({ name, schema }: Parameter): string => {
  const value = schema?.example ?? schema?.examples?.[0] ?? schema?.enum?.[0];
  return typeof value === "string"
    ? value
    : value === undefined
      ? name.toUpperCase()
      : JSON.stringify(value);
};

export function shownOf(call: Call, api: string): Shown {
  const { parameters = [], requestBody } = call;
  const needed = parameters.filter(({ required }) => required === true);
  const path = call.path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(
      valueOf(
        parameters.find((each) => each.in === "path" && each.name === name) ?? { in: "", name },
      ),
    ),
  );
  const query = new URLSearchParams(
    needed
      .filter((each) => each.in === "query")
      .map((each): [string, string] => [each.name, valueOf(each)]),
  );
  const [type, content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  const { example } = content ?? {};
  const body =
    type === undefined
      ? undefined
      : typeof example === "string"
        ? example
        : JSON.stringify(example ?? {}, undefined, 2);
  const key = parameters.find(({ name }) => name === "Idempotency-Key");
  return {
    method: call.method.toUpperCase(),
    url: `${api}${path}${query.size > 0 ? `?${query.toString()}` : ""}`,
    headers: {
      ...(call.security?.length !== 0 && { Authorization: `Bearer $${keyVariable}` }),
      ...(body !== undefined && { "Content-Type": type! }),
      ...(key !== undefined && { "Idempotency-Key": `${call.operationId}-1` }),
    },
    body,
  };
}

const single = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** For POSIX shells: only what has the key in it is expanded. */
const curl = ({ method, url, headers, body }: Shown): string =>
  [
    `curl -sS${method === "GET" ? "" : ` -X ${method}`} ${single(url)}`,
    ...Object.entries(headers).map(([name, value]) =>
      value.includes("$") ? `-H "${name}: ${value}"` : `-H ${single(`${name}: ${value}`)}`,
    ),
    ...(body === undefined ? [] : [`--data-binary ${single(body)}`]),
  ].join(" \\\n  ");

const isJson = ({ headers }: Shown): boolean => headers["Content-Type"] === "application/json";

/** Each line behind the first one moved in. */
const inset = (text: string, by: string): string => text.replaceAll("\n", `\n${by}`);

/** Node 18 and later, as a module. */
function node(shown: Shown): string {
  const { method, url, headers, body } = shown;
  const lines = Object.entries(headers).map(([name, value]) =>
    value.includes("$")
      ? `    "${name}": \`Bearer \${process.env.${keyVariable}}\`,`
      : `    "${name}": ${JSON.stringify(value)},`,
  );
  const given =
    body === undefined
      ? undefined
      : isJson(shown)
        ? `JSON.stringify(${inset(body, "  ")})`
        : JSON.stringify(body);
  return `const response = await fetch(${JSON.stringify(url)}, {
  method: "${method}",${lines.length > 0 ? `\n  headers: {\n${lines.join("\n")}\n  },` : ""}${given === undefined ? "" : `\n  body: ${given},`}
});
console.log(response.status, await response.text());`;
}

/** The same value as a literal of Python. */
const literal = (value: unknown, pad = ""): string => {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const deeper = `${pad}    `;
  const items = Array.isArray(value)
    ? value.map((each) => literal(each, deeper))
    : Object.entries(value).map(
        ([name, each]) => `${JSON.stringify(name)}: ${literal(each, deeper)}`,
      );
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return items.length === 0
    ? `${open}${close}`
    : `${open}\n${items.map((item) => `${deeper}${item},`).join("\n")}\n${pad}${close}`;
};

/** Python 3, with nothing to install. */
function python(shown: Shown): string {
  const { method, url, headers, body } = shown;
  const lines = Object.entries(headers).map(([name, value]) =>
    value.includes("$")
      ? `        "${name}": "Bearer " + os.environ["${keyVariable}"],`
      : `        "${name}": ${JSON.stringify(value)},`,
  );
  const data =
    body === undefined
      ? ""
      : isJson(shown)
        ? `\n    data=json.dumps(${literal(JSON.parse(body), "    ")}).encode(),`
        : `\n    data=${JSON.stringify(body)}.encode(),`;
  return `import json, os
from urllib.request import Request, urlopen

request = Request(
    ${JSON.stringify(url)},
    method="${method}",${lines.length > 0 ? `\n    headers={\n${lines.join("\n")}\n    },` : ""}${data}
)
with urlopen(request) as response:
    print(response.status, response.read().decode())`;
}

/** PHP 8 with its extension curl. */
function php({ method, url, headers, body }: Shown): string {
  const lines = Object.entries(headers).map(([name, value]) =>
    value.includes("$")
      ? `        "${name}: Bearer " . getenv("${keyVariable}"),`
      : `        ${single(`${name}: ${value}`)},`,
  );
  const data =
    body === undefined
      ? ""
      : `\n    CURLOPT_POSTFIELDS => '${body.replaceAll(/[\\']/g, (found) => `\\${found}`)}',`;
  return `<?php
$request = curl_init(${single(url)});
curl_setopt_array($request, [
    CURLOPT_CUSTOMREQUEST => "${method}",
    CURLOPT_RETURNTRANSFER => true,${lines.length > 0 ? `\n    CURLOPT_HTTPHEADER => [\n${lines.join("\n")}\n    ],` : ""}${data}
]);
echo curl_exec($request), "\\n";`;
}

/** The call in four languages; each runs as it stands once the key is in the environment. */
export function examplesOf(call: Call, api: string): readonly Example[] {
  const shown = shownOf(call, api);
  return [
    { language: "curl", code: curl(shown) },
    { language: "Node", code: node(shown) },
    { language: "Python", code: python(shown) },
    { language: "PHP", code: php(shown) },
  ];
}
