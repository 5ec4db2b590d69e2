import { hash } from "node:crypto";
import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { firstStartVariable } from "./first-start.ts";

/** Under which name the run keeps its programs. */
export const madePrograms = "programs";

/** The file that stands for a program among those that are made of all. */
export const fileOfProgram = (entry: string): string => `${hash("sha256", entry).slice(0, 16)}.mjs`;

/** What to start for a program of ours: itself, until the run has made one file of all. A whole run begins with that, a run of some files makes it for the first instance of the product. */
export function madeProgram(entry: string): string {
  const home = process.env[firstStartVariable];
  if (home === undefined) return entry;
  const made = join(home, madePrograms, "folder", fileOfProgram(entry));
  return existsSync(made) ? realpathSync(made) : entry;
}
