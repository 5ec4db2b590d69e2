// Writes what is made from the source: JSON Schemas, the OpenAPI and the AsyncAPI document and two tables of the reference. `--check` writes nothing
// and fails naming the files that are not what the source says. Either way it fails when a list of services is not that of the array.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { services } from "../services/ingress/src/index.ts";
import { lifecycleSchemas } from "@heliograph/domain";
import { releasedFile } from "./check/readers.ts";
import { generatedFiles, ownedFolders } from "./generate/files.ts";
import { wrongLists } from "./generate/lists.ts";

const root = new URL("..", import.meta.url).pathname;
const { values } = parseArgs({
  options: {
    check: { type: "boolean", default: false },
    // A release is made: what readers may rely on from here on.
    released: { type: "boolean", default: false },
  },
});

const contentOf = (file: string): string | undefined => {
  try {
    return readFileSync(join(root, file), "utf8");
  } catch {
    return undefined;
  }
};

if (values.released) {
  mkdirSync(join(root, dirname(releasedFile)), { recursive: true });
  writeFileSync(join(root, releasedFile), `${JSON.stringify(lifecycleSchemas(), undefined, 2)}\n`);
}
const files = generatedFiles();
const wrong = [...files].filter(([file, content]) => contentOf(file) !== content);
const leftOver = ownedFolders
  .flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`))
  .filter((file) => !files.has(file));
const unlisted = wrongLists(root, services);
for (const line of unlisted) console.log(line);
if (unlisted.length > 0) process.exitCode = 1;

if (values.check) {
  for (const [file] of wrong)
    console.log(`${file} is ${contentOf(file) === undefined ? "missing" : "stale"}`);
  for (const file of leftOver) console.log(`${file} belongs to nothing in the source`);
  if (wrong.length + leftOver.length > 0) process.exitCode = 1;
} else {
  for (const [file, content] of wrong) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), content);
  }
  for (const file of leftOver) rmSync(join(root, file));
  console.log(`${files.size} files, ${wrong.length} written, ${leftOver.length} removed`);
}
