import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What the site is made of, by paths from the root of the repository. An image has these folders too. */
export type Files = {
  /** Throws when there is no such file. */
  read(file: string): string;
  /** What is no text. */
  bytes(file: string): Buffer;
  /** Sorted, so that equal trees give equal sites. */
  list(pattern: string): readonly string[];
};

const root = join(import.meta.dirname, "../../..");

export const ownFiles: Files = {
  read: (file) => readFileSync(join(root, file), "utf8"),
  bytes: (file) => readFileSync(join(root, file)),
  list: (pattern) => globSync(pattern, { cwd: root }).toSorted(),
};
