import type { Schema } from "./answer-types.ts";
import { grouped, isOperation, type Group } from "./client-types.ts";
import type { ClientDocument, Operation } from "./operations.ts";

const made = "# Made by `npm run generate` from the OpenAPI document.\n";
const snake = (name: string): string =>
  name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const keywords = new Set(["from", "import", "class", "global", "in", "is", "not"]);
const argument = (name: string): string => (keywords.has(name) ? `${name}_` : snake(name));

const primitives: Readonly<Record<string, string>> = {
  string: "str",
  number: "float",
  integer: "int",
  boolean: "bool",
  null: "None",
};
const literal = (values: readonly unknown[]): string =>
  `Literal[${values.map((value) => (value === true ? "True" : value === false ? "False" : JSON.stringify(value))).join(", ")}]`;
const union = (types: readonly string[]): string => {
  const all = [...new Set(types)];
  return all.length === 1 ? all[0]! : `Union[${all.join(", ")}]`;
};

/** The Python of a JSON Schema. What has no name is a plain mapping: a TypedDict cannot stand inside of another. */
function typeOf(schema: Schema, prefix: string): string {
  if (schema.$ref !== undefined) return `"${prefix}${schema.$ref.split("/").at(-1)!}"`;
  if ("const" in schema) return literal([schema.const]);
  if (schema.enum !== undefined) return literal(schema.enum);
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives !== undefined) return union(alternatives.map((one) => typeOf(one, prefix)));
  const names = typeof schema.type === "string" ? [schema.type] : (schema.type ?? []);
  if (names.length === 0) return "Any";
  return union(
    names.map((name) => {
      if (name === "array") return `Sequence[${typeOf(schema.items ?? {}, prefix)}]`;
      if (name === "object") return "Mapping[str, Any]";
      return primitives[name] ?? "Any";
    }),
  );
}

/** Everything that the document names, as TypedDicts. */
export function pythonTypes({ components }: ClientDocument): string {
  const lines = Object.entries(components.schemas).map(([name, schema]) => {
    const { properties, required = [] } = schema;
    if (properties === undefined)
      return `${name} = ${typeOf(schema, "").replaceAll(`"${name}"`, "Any")}`;
    const fields = Object.entries(properties).map(([field, one]) => {
      const type = typeOf(one, "");
      return `${JSON.stringify(field)}: ${required.includes(field) ? type : `NotRequired[${type}]`}`;
    });
    return `${name} = TypedDict("${name}", {${fields.join(", ")}})`;
  });
  return `${made}from __future__ import annotations

from typing import Any, Literal, Mapping, NotRequired, Sequence, TypedDict, Union

${lines.join("\n")}
`;
}

type Flavour = { readonly async: boolean };

function answerOf({ answers, otherTypes }: Operation): string {
  if (otherTypes.length > 0 && answers.length === 0)
    return otherTypes.every((type) => /^text\/|ndjson/.test(type)) ? "str" : "bytes";
  return answers.length === 0 ? "None" : union(answers.map((answer) => typeOf(answer, "t.")));
}

const optionTypes = {
  idempotencyKey: "str",
  wait: "int",
  ifMatch: "str",
  ifNoneMatch: "str",
  minLogPosition: "str",
} as const;

function methodOf(operation: Operation, { async: isAsync }: Flavour): string {
  const { name, method, path, params, query, body, options, entry, otherTypes, summary } =
    operation;
  const formats = query.some((one) => one.name === "format") && operation.answers.length > 0;
  const positional = [
    ...params.map((param) => `${argument(param)}: Union[str, int]`),
    ...(body
      ? [
          `body: ${body.kind === "json" ? typeOf(body.schema, "t.") : body.kind === "form" ? "Mapping[str, str]" : "bytes"}`,
        ]
      : []),
  ];
  const isYesNo = (schema: Schema): boolean => schema.enum?.join() === "true,false";
  const named = [
    ...(body?.kind === "bytes" ? ["content_type: str"] : []),
    ...query
      .filter((one) => !(formats && one.name === "format"))
      .map((one) => {
        const type = isYesNo(one.schema) ? "bool" : typeOf(one.schema, "t.");
        const full = one.many ? `Union[${type}, Sequence[str]]` : type;
        return one.required
          ? `${argument(one.name)}: ${full}`
          : `${argument(one.name)}: Optional[${full}] = None`;
      }),
    ...options.map((option) => `${snake(option)}: Optional[${optionTypes[option]}] = None`),
    "timeout: Optional[float] = None",
  ];
  const asked = query
    .filter((one) => !(formats && one.name === "format"))
    .map((one) => `${JSON.stringify(one.name)}: ${argument(one.name)}`);
  const given = [
    JSON.stringify(method),
    JSON.stringify(path),
    `(${params.map((param) => `${argument(param)},`).join(" ")})`,
    `{${asked.join(", ")}}`,
    ...(body ? [`body=body`, `kind="${body.kind}"`] : []),
    ...(body?.kind === "bytes" ? ["content_type=content_type"] : []),
    ...(options.includes("idempotencyKey") ? ["keyed=True"] : []),
    ...options.map((option) => `${snake(option)}=${snake(option)}`),
    "timeout=timeout",
  ];
  const isStream = otherTypes.includes("text/event-stream");
  const doc = `        """${summary}: ${method} ${path}"""`;
  const head = `self, ${[...positional, "*", ...named].join(", ")}`;
  const own = snake(name.at(-1)!);
  if (isStream) {
    const type = isAsync ? "AsyncIterator" : "Iterator";
    return `    def ${own}(${head}) -> ${type}["t.LifecycleEvent"]:\n${doc}\n        return self._core.stream(after=after, types=types, consumer=consumer, filters=filters, timeout=timeout)`;
  }
  if (entry) {
    const type = isAsync ? "AsyncListing" : "Listing";
    return `    def ${own}(${head}) -> ${type}[${typeOf(entry, "t.")}]:\n${doc}\n        return self._core.listing(${given.join(", ")})`;
  }
  const call = `self._core.call(${given.join(", ")})`;
  const answer = answerOf(operation);
  const called = `${isAsync ? "await " : ""}${call}`;
  // A variable of the type: a checker that is strict takes no `Any` for an answer.
  const work =
    answer === "None"
      ? `        ${called}`
      : `        answer: ${answer} = ${called}\n        return answer`;
  return `    ${isAsync ? "async " : ""}def ${own}(${head}) -> ${answer}:\n${doc}\n${work}`;
}

const capital = (text: string): string => text[0]!.toUpperCase() + text.slice(1);

/** A class for each group, those inside before those around them. */
function classesOf(name: string, group: Group, flavour: Flavour): readonly string[] {
  const core = flavour.async ? "AsyncCore" : "Core";
  const inner = Object.entries(group).filter(([, entry]) => !isOperation(entry)) as [
    string,
    Group,
  ][];
  const own = Object.values(group).filter(isOperation);
  const init = [
    `    def __init__(self, core: ${core}) -> None:`,
    "        self._core = core",
    ...inner.map(([part]) => `        self.${snake(part)} = ${name}${capital(part)}(core)`),
  ].join("\n");
  return [
    ...inner.flatMap(([part, entry]) => classesOf(`${name}${capital(part)}`, entry, flavour)),
    [`class ${name}:`, init, ...own.map((operation) => `\n${methodOf(operation, flavour)}`)].join(
      "\n",
    ),
  ];
}

/** The operations as classes, for a caller who waits or for one who awaits. */
export function pythonSurface(operations: readonly Operation[], flavour: Flavour): string {
  const name = flavour.async ? "AsyncOperations" : "Operations";
  const from = flavour.async ? "AsyncCore, AsyncListing" : "Core, Listing";
  const iterators = flavour.async ? "AsyncIterator" : "Iterator";
  return `${made}from __future__ import annotations

from typing import Any, ${iterators}, Literal, Mapping, Optional, Sequence, Union

from . import _types as t
from ._core import ${from}


${classesOf(name, grouped(operations), flavour).join("\n\n\n")}
`;
}
