import { routesOf } from "@heliograph/api";
import { openapiCheck } from "@heliograph/testkit";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { openapiDocument, services } from "../src/index.ts";

type Node = { [key: string]: unknown };
const document = openapiDocument() as { paths: Record<string, Record<string, Node>> } & Node;
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ method, path, operation })),
);

/** Every object in the document that has named fields, with where it stands. */
function* objects(node: unknown, place: string): Generator<[string, Record<string, Node>]> {
  if (typeof node !== "object" || node === null) return;
  const properties = (node as Node)["properties"];
  if ((node as Node)["type"] === "object" && properties !== undefined)
    yield [place, properties as Record<string, Node>];
  for (const [key, value] of Object.entries(node))
    if (key !== "example" && key !== "examples") yield* objects(value, `${place}/${key}`);
}

describe("the OpenAPI document", () => {
  test("says of every field what it means", () => {
    const silent = [...objects(document, "")].flatMap(([place, properties]) =>
      Object.entries(properties).flatMap(([name, field]) =>
        field["description"] === undefined ? [`${place}.${name}`] : [],
      ),
    );
    expect(silent).toEqual([]);
    const parameters = operations.flatMap(({ method, path, operation }) =>
      ((operation["parameters"] ?? []) as Node[])
        .filter(({ description }) => description === undefined || description === "")
        .map(({ name }) => `${method} ${path} ${String(name)}`),
    );
    expect(parameters).toEqual([]);
  });

  test("has one described area for each operation", () => {
    const areas = (document["tags"] as { name: string; description: string }[]).map(
      ({ name }) => name,
    );
    for (const { operation } of operations) {
      expect(operation["tags"]).toHaveLength(1);
      expect(areas).toContain((operation["tags"] as string[])[0]);
    }
  });

  test("has an example of every request that is accepted, and of every answer that fits", () => {
    const check = openapiCheck(document);
    let answers = 0;
    for (const { method, path, operation } of operations) {
      for (const [status, response] of Object.entries(operation["responses"] as Node))
        for (const [type, media] of Object.entries(
          ((response as Node)["content"] ?? {}) as Record<string, Node>,
        )) {
          expect(media["example"], `${method} ${path} ${status}`).toBeDefined();
          answers++;
          check({
            method: method.toUpperCase(),
            path: path.replaceAll(/\{\w+\}/g, "x"),
            status: Number(status),
            headers: new Headers({ "content-type": type, "request-id": "req_1" }),
            text: JSON.stringify(media["example"]),
          });
        }
    }
    expect(answers).toBeGreaterThan(200);
    const refused = routesOf(services).flatMap((route) => {
      if (!(route.body instanceof z.ZodType)) return [];
      const path = `/api/v1${route.path}`.replaceAll(/:(\w+)/g, "{$1}");
      const operation = document.paths[path]![route.method.toLowerCase()]!;
      const body = operation["requestBody"] as { content: Record<string, Node> };
      const { example } = body.content["application/json"]!;
      const parsed = route.body.safeParse(example);
      return parsed.success ? [] : [`${path}: ${parsed.error.message} ${JSON.stringify(example)}`];
    });
    expect(refused).toEqual([]);
  });

  test("closes no answer, so that it may grow", () => {
    const { Message, WalletTransaction } = (
      document["components"] as { schemas: Record<string, Node> }
    ).schemas;
    expect(Message).not.toHaveProperty("additionalProperties");
    const kind = (WalletTransaction!["properties"] as Record<string, Node>)["kind"]!;
    expect(kind).not.toHaveProperty("enum");
    expect(kind["x-extensible-enum"]).toContain("topup");
  });

  test("knows what each call goes through: Prefer, keys, limits, a log that is away", () => {
    const send = document.paths["/api/v1/messages"]!["post"]!;
    const names = (send["parameters"] as { name: string }[]).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["Prefer", "Idempotency-Key"]));
    expect(Object.keys(send["responses"] as Node)).toEqual(
      expect.arrayContaining(["200", "202", "402", "422", "429", "503"]),
    );
    const limited = (send["responses"] as Record<string, { headers: Node }>)["429"]!;
    expect(Object.keys(limited.headers)).toEqual(
      expect.arrayContaining(["Retry-After", "RateLimit", "Request-Id"]),
    );
  });
});

describe("the check of answers", () => {
  const check = openapiCheck(document);
  const answer = (over: object) => () =>
    check({
      method: "GET",
      path: "/api/v1/balance",
      status: 200,
      headers: new Headers({ "content-type": "application/json", "request-id": "req_1" }),
      text: JSON.stringify({ available: "1", held: "0", currency: "USD", as_of_position: "1" }),
      ...over,
    });
  test("takes what fits and refuses what does not", () => {
    expect(answer({})).not.toThrow();
    const headers = (more: Record<string, string>) =>
      new Headers({ "content-type": "application/json", "request-id": "req_1", ...more });
    for (const [over, why] of [
      [{ status: 418 }, "not documented"],
      [{ headers: headers({ "x-new": "1" }) }, "x-new"],
      [{ headers: new Headers({ "content-type": "application/json" }) }, "lacks"],
      [{ headers: headers({ "content-type": "text/plain" }) }, "text/plain"],
      [{ text: "{}" }, "does not fit"],
      [
        {
          text: JSON.stringify({
            available: "1",
            held: "0",
            currency: "USD",
            as_of_position: "1",
            extra: 1,
          }),
        },
        "additional",
      ],
    ] as const)
      expect(answer(over)).toThrow(why);
  });
});

// Where a reader is changes with each event: nobody could name its state in time.
const untold = new Set(["DELETE /event-consumers/:name"]);

test("what is shown with a tag is changed and removed only in the state that is named", () => {
  const routes = routesOf(services);
  const shown = new Set(
    routes.filter(({ method, etag }) => method === "GET" && etag).map(({ path }) => path),
  );
  const passedOver = routes
    .filter(
      ({ method, path, etag }) => /^(PUT|PATCH|DELETE)$/.test(method) && shown.has(path) && !etag,
    )
    .map(({ method, path }) => `${method} ${path}`);
  expect(passedOver.filter((name) => !untold.has(name))).toEqual([]);
});
