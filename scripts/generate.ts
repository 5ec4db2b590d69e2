// Writes what is made from the source: JSON Schemas, the OpenAPI and the AsyncAPI document and two tables of the reference. `--check` writes nothing
// and fails naming the files that are not what the source says.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { generatedFiles, ownedFolders } from "./generate/files.ts";

const root = new URL("..", import.meta.url).pathname;
const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });

const contentOf = (file: string): string | undefined => {
  try {
    return readFileSync(join(root, file), "utf8");
  } catch {
    return undefined;
  }
};

const files = generatedFiles();
const wrong = [...files].filter(([file, content]) => contentOf(file) !== content);
const leftOver = ownedFolders
  .flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`))
  .filter((file) => !files.has(file));

if (values.check) {
  for (const [file] of wrong)
    console.log(`${file} is ${contentOf(file) === undefined ? "missing" : "stale"}`);
  for (const file of leftOver) console.log(`${file} belongs to nothing in the source`);
  process.exitCode = wrong.length + leftOver.length === 0 ? 0 : 1;
} else {
  for (const [file, content] of wrong) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), content);
  }
  for (const file of leftOver) rmSync(join(root, file));
  console.log(`${files.size} files, ${wrong.length} written, ${leftOver.length} removed`);
}
