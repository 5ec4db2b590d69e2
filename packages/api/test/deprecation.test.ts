import { describe, expect, test } from "vitest";
import { z } from "zod";
import { buildDocument } from "../src/openapi.ts";
import { anotherName, deprecation, deprecationHeaders, deprecationOf } from "../src/deprecation.ts";
import { listOf, ListQuery, type Route, route } from "../src/index.ts";

const of = (more: Partial<Pick<Route, "query" | "deprecated">>): Route =>
  route({
    method: "GET",
    path: "/things",
    scope: "messages:read",
    summary: "Things",
    ...more,
    response: listOf(z.object({}), "Things"),
    errors: [],
    handler: async () => ({ status: 200 }),
  }) as Route;
const told = (of: Route, query: Record<string, string>) => {
  const announced = deprecationOf(of, query);
  return announced && deprecationHeaders(announced, "https://api.example.org");
};
const link =
  '<https://api.example.org/docs/reference/versioning>; rel="deprecation"; type="text/html"';

test("whoever gives a parameter by another name is told so, and nobody else", () => {
  const list = of({ query: ListQuery.extend({ since: anotherName(z.string(), "from") }) });
  for (const query of [{ cursor: "a" }, { limit: "5", since: "1" }])
    expect(told(list, query)).toEqual(["Deprecation", "@1796083200", "Link", link]);
  for (const query of [{}, { after: "a", limit: "5" }, { constructor: "x" }])
    expect(told(list, query)).toBeUndefined();
  expect(told(of({}), { cursor: "a" })).toBeUndefined();
});

describe("a route that is to go", () => {
  test("says since when, and once an end is set, when", () => {
    expect(told(of({ deprecated: deprecation("2026-12-01") }), {})).toEqual([
      "Deprecation",
      "@1796083200",
      "Link",
      link,
    ]);
    expect(told(of({ deprecated: deprecation("2026-12-01", "2027-12-01") }), {})).toEqual([
      "Deprecation",
      "@1796083200",
      "Sunset",
      "Wed, 01 Dec 2027 00:00:00 GMT",
      "Link",
      link,
    ]);
  });

  test("has a year at least, and days that there are", () => {
    for (const [since, until] of [
      ["2026-12-01", "2027-11-30"],
      ["2026-12-01", "2026-12-01"],
      ["2026-13-01", "2027-12-01"],
      ["2026-12-01", "soon"],
    ] as const)
      expect(() => deprecation(since, until)).toThrow("within a year");
  });

  test("is marked in the document, with the headers that its answers have", () => {
    const documented = (deprecated?: ReturnType<typeof deprecation>) => {
      const routes = [of(deprecated === undefined ? {} : { deprecated })];
      const group = { tag: "t", description: "t", routes };
      const service = { name: "control", api: { groups: [group] }, consumers: () => [] } as const;
      const { paths } = buildDocument([service]) as {
        paths: Record<string, Record<string, Record<string, unknown>>>;
      };
      const { get } = paths["/api/v1/things"]!;
      const { 200: done, 401: refused } = get!["responses"] as Record<number, { headers: object }>;
      const shown = ["Deprecation", "Sunset", "Link"];
      const names = [done!, refused!].map(({ headers }) =>
        Object.keys(headers).filter((name) => shown.includes(name)),
      );
      return { deprecated: get!["deprecated"], names };
    };
    const both = (...names: string[]) => [names, names];
    expect(documented()).toEqual({ deprecated: undefined, names: both() });
    expect(documented(deprecation("2026-12-01"))).toEqual({
      deprecated: true,
      names: both("Deprecation", "Link"),
    });
    expect(documented(deprecation("2026-12-01", "2028-01-01"))).toEqual({
      deprecated: true,
      names: both("Deprecation", "Link", "Sunset"),
    });
  });
});
