import { existsSync } from "node:fs";
import { checkAdvisories } from "./advisories.ts";
import { checkBoundaries } from "./boundaries.ts";
import { checkLicences } from "./licences.ts";
import { checkReaders } from "./readers.ts";
import { run, type Finished } from "./run.ts";
import { checkTidy } from "./tidy/index.ts";

export type Step = { readonly name: string; readonly hint: string; run(): Promise<Finished> };

const sources = ["packages", "services", "scripts"];

const found = (broken: readonly string[]): Finished => ({
  code: broken.length === 0 ? 0 : 1,
  output: broken.map((line) => `${line}\n`).join(""),
});

/** The checks of the whole tree, each a claim that holds or does not. Commands come from node_modules/.bin on PATH. */
export const steps: readonly Step[] = [
  {
    name: "format",
    hint: "node_modules/.bin/oxfmt <files> writes them",
    run: () => run("oxfmt", ["--list-different", "."]),
  },
  {
    name: "lint",
    hint: "rules are in .oxlintrc.json",
    run: () => run("oxlint", sources),
  },
  {
    name: "types",
    hint: "",
    // Several threads check what they share anew, each for itself: half as much again of the processors, which the other steps need.
    run: () => run("tsc", ["-p", ".", "--singleThreaded"]),
  },
  {
    name: "dead code",
    hint: "entry points are in knip.json",
    run: () => run("knip", ["--no-progress"]),
  },
  {
    name: "boundaries",
    hint: "rules are in scripts/check/boundaries.ts",
    run: async () => found(checkBoundaries(".")),
  },
  {
    name: "tidy",
    hint: "rules are in scripts/check/tidy",
    run: async () => found(checkTidy(".")),
  },
  {
    name: "licences",
    hint: "which ones are allowed is in scripts/check/licences.json",
    run: async () => found(checkLicences(".")),
  },
  {
    name: "readers",
    hint: "lifecycle events of the last release are in schemas/released; fields may be added",
    run: async () => found(checkReaders()),
  },
  {
    name: "advisories",
    hint: "newer versions, or a reason in scripts/check/advisories.json",
    run: () => checkAdvisories(),
  },
  {
    name: "generated files",
    hint: "npm run generate writes them",
    run: async () =>
      existsSync("scripts/generate.ts")
        ? run("node", ["scripts/generate.ts", "--check"])
        : { code: 0, output: "" },
  },
];

export type CheckTotals = {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
};

/** Runs every step at once and prints one line for each in order, with the output of those that failed. */
export async function runSteps(print: (line: string) => void): Promise<CheckTotals> {
  const running = steps.map(async (step) => {
    const startedMs = performance.now();
    const finished = await step.run();
    return { step, finished, tookMs: Math.round(performance.now() - startedMs) };
  });
  let failed = 0;
  let skipped = 0;
  for (const pending of running) {
    const { step, finished, tookMs } = await pending;
    const ok = finished.code === 0;
    if (finished.skipped !== undefined) {
      skipped += 1;
      print(`skip  ${step.name.padEnd(16)} ${finished.skipped}`);
      continue;
    }
    print(`${ok ? "ok  " : "FAIL"}  ${step.name.padEnd(16)} ${tookMs} ms`);
    if (ok) continue;
    failed += 1;
    print(finished.output.trimEnd());
    if (step.hint) print(`(${step.hint})`);
  }
  return { passed: steps.length - failed - skipped, failed, skipped };
}
