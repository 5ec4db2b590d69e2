import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const block = /^```ts\n([\s\S]*?)^```$/gm;
const linesOf = (text: string): string =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join("\n");

/**
 * Examples in READMEs of packages and services must compile: each stands line for line in `test/readme.ts` of the same folder as well, which the check of types
 * reads with everything that the example takes for granted around it.
 */
export function checkExamples(root: string): readonly string[] {
  const broken: string[] = [];
  for (const page of globSync(["packages/*/README.md", "services/*/README.md"], { cwd: root })) {
    const compiled = join(root, dirname(page), "test/readme.ts");
    const known = existsSync(compiled) ? linesOf(readFileSync(compiled, "utf8")) : "";
    for (const [, example] of readFileSync(join(root, page), "utf8").matchAll(block))
      if (!known.includes(linesOf(example!)))
        broken.push(
          `${page}: the example that begins "${example!.split("\n")[0]}" is not in test/readme.ts`,
        );
  }
  return broken;
}
