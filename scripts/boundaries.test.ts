import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { checkBoundaries, importsOf } from "./check/boundaries.ts";

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true });
});

const manifest = (name: string, dependencies: readonly string[], development: string[] = []) =>
  JSON.stringify({
    name,
    dependencies: Object.fromEntries(dependencies.map((item) => [item, "1"])),
    devDependencies: Object.fromEntries(development.map((item) => [item, "1"])),
  });

/** A lazy import, written so that the check of this very file does not take it for one. */
const lazy = (name: string): string => `const a = await import(${JSON.stringify(name)});`;

/** A small tree that keeps every rule, with the given files put over it. */
function tree(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "boundaries-"));
  roots.push(root);
  const all = {
    "package.json": manifest("root", [], ["vitest", "@heliograph/log"]),
    "packages/log/package.json": manifest("@heliograph/log", ["pg"], ["fast-check"]),
    "packages/log/src/index.ts": 'import { Pool } from "pg";\nimport fs from "node:fs";\n',
    "packages/log/test/log.test.ts": 'import { test } from "vitest";\nimport "../src/index.ts";\n',
    "services/wallet/package.json": manifest("@heliograph/wallet", ["@heliograph/log"]),
    "services/wallet/src/main.ts": 'import { x } from "@heliograph/log";\n',
    "services/ingress/package.json": manifest("@heliograph/ingress", ["@heliograph/wallet"]),
    "services/standalone/package.json": manifest("@heliograph/standalone", ["@heliograph/wallet"]),
    "services/standalone/src/main.ts": 'export * from "@heliograph/wallet";\n',
    ...files,
  };
  for (const [file, text] of Object.entries(all)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  return root;
}

test("a tree that keeps the rules has nothing to report", () => {
  expect(checkBoundaries(tree({}))).toEqual([]);
});

test("only hosts and tests import other services", () => {
  const root = tree({
    "services/ingress/src/main.ts": 'import { a } from "@heliograph/wallet";',
    "services/delivery/package.json": manifest("@heliograph/delivery", ["@heliograph/wallet"]),
    "services/delivery/src/main.ts": 'import { a } from "@heliograph/wallet";',
    "services/delivery/test/a.test.ts": 'import { a } from "@heliograph/wallet";',
  });
  expect(checkBoundaries(root)).toEqual([
    "services/delivery/src/main.ts: a service imports the service @heliograph/wallet",
  ]);
});

test("a package imports no service, not even in a test or lazily", () => {
  const root = tree({
    "packages/log/package.json": manifest("@heliograph/log", ["pg"], ["@heliograph/ingress"]),
    "packages/log/src/index.ts": lazy("@heliograph/ingress"),
    "packages/log/test/log.test.ts": 'import type { A } from "@heliograph/ingress";',
  });
  expect(checkBoundaries(root)).toEqual([
    "packages/log/src/index.ts: a package imports the service @heliograph/ingress",
    "packages/log/test/log.test.ts: a package imports the service @heliograph/ingress",
  ]);
});

test("a relative import stays in its package", () => {
  const root = tree({
    "services/wallet/src/main.ts": 'export { x } from "../../../packages/log/src/index.ts";',
  });
  expect(checkBoundaries(root)).toEqual([
    'services/wallet/src/main.ts: reaches out of services/wallet with "../../../packages/log/src/index.ts"',
  ]);
});

test("an import must be declared, and by more than devDependencies when src needs it at run time", () => {
  const root = tree({
    "services/wallet/src/a.ts": 'import "express/lib";',
    "packages/log/src/b.ts": 'import type { T } from "fast-check";',
    "packages/log/src/c.ts": 'import {\n  test,\n} from "fast-check";',
  });
  expect(checkBoundaries(root)).toEqual([
    "packages/log/src/c.ts: src imports fast-check, which is only a devDependency of packages/log",
    "services/wallet/src/a.ts: imports express, which services/wallet/package.json does not declare",
  ]);
});

test("tests share the tools of the root, but not its packages, and src shares neither", () => {
  const root = tree({
    "services/wallet/package.json": manifest("@heliograph/wallet", []),
    "services/wallet/src/main.ts": 'import { test } from "vitest";',
    "services/wallet/test/a.test.ts":
      'import { test } from "vitest";\nimport { x } from "@heliograph/log";',
  });
  expect(checkBoundaries(root)).toEqual([
    "services/wallet/src/main.ts: imports vitest, which services/wallet/package.json does not declare",
    "services/wallet/test/a.test.ts: imports @heliograph/log, which services/wallet/package.json does not declare",
  ]);
});

test("packages that depend on each other in a circle are reported once", () => {
  const root = tree({
    "packages/log/package.json": manifest(
      "@heliograph/log",
      ["pg", "@heliograph/domain"],
      ["vitest"],
    ),
    "packages/domain/package.json": manifest("@heliograph/domain", ["@heliograph/log"]),
  });
  expect(checkBoundaries(root)).toEqual([
    "packages depend in a circle: @heliograph/domain -> @heliograph/log -> @heliograph/domain",
  ]);
});

test("every form of import is seen, and one in a comment is not", () => {
  const source = [
    'import a, { type B } from "a";',
    'import * as b from "b";',
    'export * from "c";',
    'export type { D } from "d";',
    'import "e";',
    lazy("f"),
    '// import x from "no";',
    ' * import y from "no";',
    'const text = "from nowhere";',
  ].join("\n");
  expect(
    importsOf(source).map(({ specifier, typeOnly }) => `${specifier}${typeOnly ? " type" : ""}`),
  ).toEqual(["a", "b", "c", "d type", "e", "f"]);
});
