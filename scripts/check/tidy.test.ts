import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { checkTidy } from "./tidy/index.ts";
import { maxFileLines, maxFunctionLines } from "./tidy/lengths.ts";

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true });
});

const manifest = (name: string): string => JSON.stringify({ name });

/** A small tree that keeps every rule, with the given files put over it. */
function tree(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "tidy-"));
  roots.push(root);
  const all = {
    "packages/log/package.json": manifest("@heliograph/log"),
    "packages/log/README.md": "# log\n```ts\nconst log = openLog();\n```\n",
    "packages/log/test/readme.ts":
      'import { openLog } from "../src/index.ts";\n  const log = openLog();\nexport { log };\n',
    "packages/log/src/index.ts": 'export * from "./log.ts";\n',
    "packages/log/src/log.ts": 'export const openLog = () => "select 1 from log.events";\n',
    "services/wallet/package.json": manifest("@heliograph/wallet"),
    "services/wallet/src/index.ts":
      'import { read } from "./store.ts";\nexport const service = read;\n',
    "services/wallet/src/store.ts": 'export const read = () => "select 1 from wallet.holds";\n',
    "services/wallet/src/decide.ts": "export const decide = (now: number) => new Date(now);\n",
    "services/standalone/package.json": manifest("@heliograph/standalone"),
    "services/standalone/src/index.ts":
      'import { openLog } from "@heliograph/log";\nimport { decide } from "../../wallet/src/decide.ts";\nimport { service } from "@heliograph/wallet";\nopenLog(); decide(1); service();\n',
    ...files,
  };
  for (const [file, text] of Object.entries(all)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  return root;
}
const lines = (count: number): string => "  void 0;\n".repeat(count);
const broken = (files: Readonly<Record<string, string>>) => checkTidy(tree(files));

test("a tree that keeps the rules has nothing to report", () => {
  expect(broken({})).toEqual([]);
});

test("a function and a file have their most lines", () => {
  const body = (count: number) => `function long() {\n${lines(count - 2)}}\nlong();\n`;
  expect(broken({ "services/wallet/src/a.ts": body(maxFunctionLines) })).toEqual([]);
  expect(broken({ "services/wallet/src/a.ts": body(maxFunctionLines + 1) })).toEqual([
    "services/wallet/src/a.ts: long has 71 lines, more than 70",
  ]);
  expect(broken({ "services/wallet/src/a.ts": "void 0;\n".repeat(maxFileLines + 1) })).toEqual([
    "services/wallet/src/a.ts has 451 lines, more than 450",
  ]);
});

test("a method and a function in a variable are named by what holds them, and a test's claims may be many", () => {
  const text = `const maker = () => ({ run() {\n${lines(70)}} });\nclass Thing { go() {\n${lines(70)}} }\nmaker(); new Thing();\n`;
  expect(broken({ "services/wallet/src/a.ts": text })).toEqual([
    "services/wallet/src/a.ts: maker has 72 lines, more than 70",
    "services/wallet/src/a.ts: maker.run has 72 lines, more than 70",
    "services/wallet/src/a.ts: Thing.go has 72 lines, more than 70",
  ]);
  expect(broken({ "services/wallet/test/a.test.ts": text })).toEqual([]);
});

test("files that import each other are a circle, by types and through packages too", () => {
  const circle = {
    "services/wallet/src/a.ts": 'import type { B } from "./b.ts";\nexport type A = B | 1;\n',
    "services/wallet/src/b.ts": 'export type { A as B } from "./a.ts";\n',
  };
  expect(broken(circle)).toEqual([
    "these files import each other in a circle: services/wallet/src/a.ts, services/wallet/src/b.ts",
  ]);
  const across = {
    "packages/log/src/log.ts": 'import "@heliograph/log";\nexport const openLog = () => 1;\n',
  };
  expect(broken(across)).toEqual([
    "these files import each other in a circle: packages/log/src/index.ts, packages/log/src/log.ts",
  ]);
});

test.each([
  '"select position from wallet.holds"',
  "`insert into ${1} values (1)`",
  "`\n  update wallet.holds as h set x = 1`",
  '"delete from a"',
  '"create table if not exists a (b int)"',
  '"with x as (select 1) select 2"',
])("SQL stands where it belongs: %s", (sql) => {
  const text = `export const statement = ${sql};\nvoid statement;\n`;
  expect(broken({ "services/wallet/src/a.ts": text })).toEqual([
    "services/wallet/src/a.ts:1: SQL stands in tables/, store.ts and packages/log",
  ]);
  for (const place of ["services/wallet/src/tables/a.ts", "services/wallet/test/a.test.ts"])
    expect(broken({ [place]: text })).toEqual([]);
});

test("prose is no SQL", () => {
  const text = 'void "select a gateway"; void "Update your app to set it."; void "create a key";\n';
  expect(broken({ "services/wallet/src/a.ts": text })).toEqual([]);
});

test.each([
  "Date.now()",
  "new Date()",
  "Math.random()",
  "crypto.randomUUID()",
  "newId()",
  "setTimeout(f, 1)",
])("a decider has no clock and no chance: %s", (call) => {
  const text = `export const decide = () => ${call};\nvoid decide;\n`;
  for (const path of ["services/wallet/src/a/decide.ts", "packages/domain/src/a.ts"])
    expect(broken({ [path]: text })).toEqual([
      `${path}:1: ${call.replace(/\(f, 1\)$/, "()")} in a pure file: take it as an argument`,
    ]);
  expect(broken({ "services/wallet/src/reactor.ts": text })).toEqual([]);
});

test("a decider reads no files and no network", () => {
  const text = 'import { readFileSync } from "node:fs";\nreadFileSync("a");\n';
  expect(broken({ "services/wallet/src/evolve.ts": text })).toEqual([
    "services/wallet/src/evolve.ts:1: node:fs in a pure file: take it as an argument",
  ]);
});

test("what only tests use is no part of the product, however it is passed on", () => {
  const files = {
    "packages/log/src/extra.ts":
      "export const extra = 1;\nexport const shared = 2;\nvoid shared;\n",
    "packages/log/src/index.ts":
      'export * from "./log.ts";\nexport { extra, shared } from "./extra.ts";\n',
    "services/wallet/test/a.test.ts":
      'import { extra, shared } from "@heliograph/log";\nvoid [extra, shared];\n',
  };
  expect(broken(files)).toEqual(["packages/log/src/extra.ts: only tests use extra"]);
  const used = {
    "services/wallet/src/b.ts": 'import { extra } from "@heliograph/log";\nvoid extra;\n',
  };
  expect(broken({ ...files, ...used })).toEqual([]);
});

test("an example of a README is compiled", () => {
  expect(broken({ "packages/log/README.md": "```ts\nconst log = openLog(1);\n```\n" })).toEqual([
    'packages/log/README.md: the example that begins "const log = openLog(1);" is not in test/readme.ts',
  ]);
});

test("a function is not made in the old generation by what it is assigned to", () => {
  const assigned =
    "export const begin = (call: { go?: () => number }) => {\n  call.go = () => 1;\n};\n";
  const named = assigned.replace("call.go = () => 1", "const go = () => 1;\n  call.go = go");
  const at = "services/wallet/src/go.ts";
  const index = "services/wallet/src/index.ts";
  const used = 'export { begin } from "./go.ts";\nexport const service = 1;\n';
  const young = (text: string) =>
    broken({ [at]: text, [index]: used }).filter((line) => line.includes("generation"));
  expect(young(named)).toEqual([]);
  expect(young(assigned)).toEqual([
    `${at}:2: a function is made in the old generation: give it a name first`,
  ]);
});
