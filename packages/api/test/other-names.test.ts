import { expect, test } from "vitest";
import { z } from "zod";
import { listOf, ListQuery, type Route, route } from "../src/index.ts";
import { anotherName, deprecationHeaders } from "../src/other-names.ts";

const of = (query: z.ZodObject | undefined): Route =>
  route({
    method: "GET",
    path: "/things",
    scope: "messages:read",
    summary: "Things",
    ...(query !== undefined && { query }),
    response: listOf(z.object({}), "Things"),
    errors: [],
    handler: async () => ({ status: 200 }),
  }) as Route;
const origin = () => "https://api.example.org";

test("whoever gives a parameter by another name is told so, and nobody else", () => {
  const list = of(ListQuery.extend({ since: anotherName(z.string(), "from") }));
  const told = [
    "Deprecation",
    "@1796083200",
    "Link",
    '<https://api.example.org/docs/reference/versioning>; rel="deprecation"; type="text/html"',
  ];
  for (const query of [{ cursor: "a" }, { limit: "5", since: "1" }])
    expect(deprecationHeaders(list, query, origin)).toEqual(told);
  for (const query of [{}, { after: "a", limit: "5" }, { constructor: "x" }])
    expect(deprecationHeaders(list, query, origin)).toEqual([]);
  expect(deprecationHeaders(of(undefined), { cursor: "a" }, origin)).toEqual([]);
});
