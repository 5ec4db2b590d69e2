import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/** The day on which docs/performance-compared.md was measured: what these depend on is taken as it was at its end. */
const asOf = "2026-11-30T23:59:59Z";
const versions: Readonly<Record<string, string>> = {
  "pg-boss": "12.38.0",
  bullmq: "6.7.0",
  ioredis: "6.0.0",
  "@event-driven-io/emmett": "0.42.0",
  "@event-driven-io/emmett-postgresql": "0.42.0",
  "@event-driven-io/dumbo": "0.12.7",
};

const folder = new URL("../../.cache/compare/", import.meta.url).pathname;

/** Installs what is compared with into a folder of its own, where no package of ours finds it. */
export function installCompared(): void {
  const manifest = `${JSON.stringify({ private: true, dependencies: versions, asOf })}\n`;
  const marker = join(folder, "installed.json");
  if (existsSync(marker) && createRequire(marker)(marker).of === manifest) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), manifest);
  // What an earlier day resolved would be kept.
  for (const old of ["package-lock.json", "node_modules"])
    rmSync(join(folder, old), { recursive: true, force: true });
  const args = ["install", "--before", asOf, "--no-audit", "--no-fund", "--ignore-scripts"];
  const npm = spawnSync("npm", args, { cwd: folder, encoding: "utf8" });
  if (npm.status !== 0) throw new Error(`npm does not install them: ${npm.stderr}`);
  writeFileSync(marker, JSON.stringify({ of: manifest }));
}

/** A package of that folder. Its types are not there; what is used of it is said by the caller. */
export const compared = <Exports>(name: string): Exports =>
  createRequire(join(folder, "package.json"))(name) as Exports;

export const versionOf = (name: string): string => `${name} ${versions[name]}`;
