import type { Operation } from "./operations.ts";

/** A name that a person fills in: `{id}` is `:id` there. */
const pathOf = (path: string): string => path.replaceAll(/\{(\w+)\}/g, ":$1");

/** Of what a request cannot do without: the example of the document, or the first of the values there are. */
function valueOf({
  example,
  examples,
  enum: values,
}: Operation["query"][number]["schema"]): string {
  const value = example ?? examples?.[0] ?? values?.[0];
  return typeof value === "string" ? value : "";
}

function itemOf({ id, method, path, params, query, summary, body, isPublic }: Operation): object {
  const segments = pathOf(path).split("/").slice(1);
  const asked = query.map(({ name, description, required, schema }) => ({
    key: name,
    value: required ? valueOf(schema) : "",
    description,
    disabled: !required,
  }));
  const example = body?.example ?? "";
  const raw = typeof example === "string" ? example : JSON.stringify(example, undefined, 2);
  return {
    id,
    name: summary,
    request: {
      method,
      ...(isPublic && { auth: { type: "noauth" } }),
      header: body ? [{ key: "Content-Type", value: body.types[0] }] : [],
      url: {
        raw: `{{baseUrl}}${pathOf(path)}`,
        host: ["{{baseUrl}}"],
        path: segments,
        query: asked,
        variable: params.map((key) => ({ key, value: "" })),
      },
      ...(body && { body: { mode: "raw", raw } }),
    },
  };
}

/** A collection of Postman's format 2.1, which Bruno and Insomnia import too: a folder for each tag, and the key in a variable. */
export function postmanCollection(operations: readonly Operation[]): object {
  const tags = [...new Set(operations.map(({ tag }) => tag))];
  return {
    info: {
      name: "Heliograph",
      schema: "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
    },
    auth: { type: "bearer", bearer: [{ key: "token", value: "{{key}}", type: "string" }] },
    variable: [
      { key: "baseUrl", value: "http://127.0.0.1:8080" },
      { key: "key", value: "" },
    ],
    item: tags.map((tag) => ({
      name: tag,
      item: operations.filter((operation) => operation.tag === tag).map(itemOf),
    })),
  };
}
