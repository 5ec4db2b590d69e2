import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errorCatalogue } from "@heliograph/contracts";
import { lifecycleTypes } from "@heliograph/domain";
import { settingNotes } from "@heliograph/runtime";
import { expect, test } from "vitest";

const root = new URL("../..", import.meta.url).pathname;
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const pages = globSync(
  ["*.md", "docs/**/*.md", "infra/**/*.md", "packages/*/*.md", "services/*/*.md"],
  { cwd: root },
);

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

test("every file and folder that a page names is there", () => {
  const missing = pages.flatMap((page) =>
    [...read(page).matchAll(/`((?:packages|services|scripts|docs|schemas|infra)\/[\w./-]+)`/g)]
      .map(([, file]) => file!)
      .filter((file) => !existsSync(join(root, file)))
      .map((file) => `${page}: ${file}`),
  );
  expect(missing).toEqual([]);
});

test("every file in the table of a package or a service is there", () => {
  const missing = globSync("{packages,services}/*/README.md", { cwd: root }).flatMap((page) => {
    const own = globSync("{src,test}/**/*", { cwd: join(root, dirname(page)) });
    return [...read(page).matchAll(/^\| (`[^|]+) \|/gm)]
      .flatMap(([, cell]) => [...cell!.matchAll(/`([\w./-]+\.(?:ts|js|mjs))`/g)])
      .map(([, file]) => file!)
      .filter((file) => !existsSync(join(root, file)))
      .filter((file) => !own.some((each) => `/${each}`.endsWith(`/${file}`)))
      .map((file) => `${page}: ${file}`);
  });
  expect(missing).toEqual([]);
});

test("every guide, concept, operator's and reference page is in the index", () => {
  const index = read("docs/README.md");
  const left = globSync("{concepts,guides,operating,reference}/*.md", { cwd: join(root, "docs") });
  expect(left.filter((page) => !index.includes(`](${page})`))).toEqual([]);
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

/** What the clients read, which run elsewhere. */
const ofClients = new Set(["HELIOGRAPH_KEY", "HELIOGRAPH_URL"]);

test("every setting that the tree names is one", () => {
  const files = globSync(
    [
      "*.md",
      "{docs,infra,packages,scripts,services,.ci}/**/*.{md,ts,mjs,yaml,Dockerfile}",
      ".ci/*",
    ],
    { cwd: root, exclude: (name) => name === "node_modules" },
  );
  // Tests of settings name what is none.
  const used = files
    .filter((file) => !file.endsWith("settings.test.ts"))
    .flatMap((file) => read(file).match(/\bHELIOGRAPH_[A-Z]+(_[A-Z]+)*\b/g) ?? []);
  const isKnown = (name: string): boolean => settingNotes.has(name) || ofClients.has(name);
  expect([...new Set(used)].filter((name) => !isKnown(name))).toEqual([]);
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

test("every scope that an endpoint asks for is described", () => {
  const rows = [...read("docs/reference/scopes.md").matchAll(/^\| `([^`]+)` \| (.*?) \|/gm)];
  expect(rows.length).toBeGreaterThan(20);
  expect(rows.filter(([, , means]) => means === "").map(([, scope]) => scope)).toEqual([]);
});
