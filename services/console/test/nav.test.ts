import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { goOf, navOf } from "../src/nav.ts";
import { allPages } from "../src/pages/index.ts";

const everybody = { scopes: ["*", "admin"] } as unknown as Parameters<typeof navOf>[0];
const entries = navOf(everybody).flatMap((group) => group.entries);

test("the guide's table names every entry of the navigation, in its order, and no other", () => {
  const guide = readFileSync(new URL("../../../docs/guides/console.md", import.meta.url), "utf8");
  const [, section] = guide.split("## What there is\n");
  const rows = [...section!.split("\n## ")[0]!.matchAll(/^\| ([A-Z][^|]*?) \|/gm)];
  const named = rows.flatMap(([, names]) => names!.split(", "));
  expect(named).toEqual(entries.map(({ label }) => label));
});

test("every entry has a page and a letter of its own", () => {
  const letters = entries.map(({ path }) => goOf(path));
  expect(new Set(letters).size).toBe(entries.length);
  expect(letters).not.toContain(undefined);
  const paths = allPages.filter(({ method }) => method === "GET").map(({ path }) => path);
  for (const { path } of entries) expect(paths).toContain(path);
  const known = new Set(entries.map(({ path }) => path));
  // Sections that are behind one's name or at the foot of the page.
  for (const other of ["/me", "/shortcuts"]) known.add(other);
  expect(allPages.filter(({ section }) => !known.has(section))).toEqual([]);
});
