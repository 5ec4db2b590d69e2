import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DemoKeys } from "@heliograph/platform";

/** What tools on this machine need to know of a running instance; keys where there is a demo partner. */
export type Instance = Partial<DemoKeys> & {
  readonly baseUrl: string;
  readonly consoleUrl: string;
  readonly databaseUrl: string;
  readonly pid: number;
};

const pathOf = (dataDir: string): string => join(dataDir, "dev.json");

/** Written whole or not at all: a reader never sees half of it. It holds keys, so only its owner may read it. */
export function writeInstance(dataDir: string, instance: Instance): void {
  const temporary = `${pathOf(dataDir)}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(instance, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, pathOf(dataDir));
}

export const forgetInstance = (dataDir: string): void => rmSync(pathOf(dataDir), { force: true });
