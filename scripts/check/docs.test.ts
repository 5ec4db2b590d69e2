import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errorCatalogue } from "@heliograph/contracts";
import { lifecycleTypes } from "@heliograph/domain";
import { expect, test } from "vitest";

const root = new URL("../..", import.meta.url).pathname;
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const pages = globSync(
  ["*.md", "docs/**/*.md", "infra/**/*.md", "packages/*/*.md", "services/*/*.md"],
  { cwd: root },
);
const sources = globSync(["packages/*/src/**/*.ts", "services/*/src/**/*.ts"], { cwd: root });

/** The anchor of each heading, as GitHub makes it. */
const anchorsOf = (page: string): readonly string[] =>
  [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );

test("every link between pages leads to a file, and to a heading where it names one", () => {
  const broken = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link]) => link!)
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => {
        const [file, anchor] = link.split("#");
        const target = file === "" ? page : join(dirname(page), file!);
        if (!existsSync(join(root, target))) return true;
        return anchor !== undefined && !anchorsOf(target).includes(anchor);
      })
      .map((link) => `${page}: ${link}`),
  );
  expect(broken).toEqual([]);
});

test("every error of the catalogue is documented with its status and title, and no other", () => {
  const documented = [
    ...read("docs/reference/errors.md").matchAll(/^## (\w+)\n(\d+) · (.+)$/gm),
  ].map(([, code, status, title]) => ({ code, status: Number(status), title }));
  expect(documented).toEqual(
    Object.entries(errorCatalogue).map(([code, { status, title }]) => ({ code, status, title })),
  );
});

test("every lifecycle event is documented, and no other", () => {
  const documented = [
    ...read("docs/reference/lifecycle-events.md").matchAll(/^\| `([a-z_]+\.[a-z_]+)`/gm),
  ].map(([, type]) => type!);
  expect(documented.toSorted()).toEqual(Object.keys(lifecycleTypes).toSorted());
});

test("every setting that the code reads is in the table of settings", () => {
  const settings = read("docs/operating/settings.md");
  const used = new Set(
    sources.flatMap((file) => read(file).match(/(?<=["'`])HELIOGRAPH_[A-Z_]+(?=["'`:])/g) ?? []),
  );
  expect([...used].filter((name) => !settings.includes(`\`${name}\``))).toEqual([]);
});

test("every endpoint that a page names exists", () => {
  const { paths } = JSON.parse(read("schemas/openapi.json")) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const plain = (path: string): string => path.replaceAll(/\{\w+\}/g, "{}");
  const known = new Set(
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map(
        (method) => `${method.toUpperCase()} ${plain(path.replace("/api/v1", ""))}`,
      ),
    ),
  );
  const unknown = pages.flatMap((page) =>
    [...read(page).matchAll(/`(GET|POST|PUT|PATCH|DELETE) (?:\/api\/v1)?(\/[\w/{}.-]+)/g)]
      .map(([, method, path]) => `${method} ${plain(path!)}`)
      .filter((endpoint) => !known.has(endpoint))
      .map((endpoint) => `${page}: ${endpoint}`),
  );
  expect(unknown).toEqual([]);
});
