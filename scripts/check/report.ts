import { circlesOf } from "./tidy/circles.ts";
import { longFunctions, maxFunctionLines } from "./tidy/lengths.ts";
import { isTest, readTree, type SourceFile, type Tree } from "./tidy/tree.ts";

const lineCount = ({ text }: SourceFile): number => text.split("\n").length - 1;

const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? 0;

/** Files of the product outside a service's folder that import it: what a change of its outside has to look at. */
function placesOf(tree: Tree): ReadonlyMap<string, readonly string[]> {
  const places = new Map<string, string[]>();
  for (const { path } of tree.files) {
    const folder = /^services\/[^/]+/.exec(path)?.[0];
    if (folder !== undefined && !places.has(folder)) places.set(folder, []);
  }
  for (const { path, targets } of tree.files)
    for (const [folder, found] of places)
      if (
        !isTest(path) &&
        !path.startsWith(`${folder}/`) &&
        targets.some((target) => target.startsWith(`${folder}/`))
      )
        found.push(path);
  return places;
}

/** `npm run check -- --report`: the tree in figures. Nothing here fails; what may not be is in the checks. */
export function structureReport(root: string): readonly string[] {
  const tree = readTree(root);
  const product = tree.files.filter(({ path }) => !isTest(path) && !path.startsWith("scripts/"));
  const tests = tree.files.filter(({ path }) => isTest(path));
  const lengths = product.map(lineCount);
  const long = longFunctions(tree).toSorted((left, right) => right.lines - left.lines);
  const sum = (files: readonly SourceFile[]): number =>
    files.reduce((total, file) => total + lineCount(file), 0);
  return [
    `files of the product        ${product.length}, ${sum(product)} lines; median ${median(lengths)}, longest ${Math.max(...lengths)}`,
    `files of tests              ${tests.length}, ${sum(tests)} lines`,
    `functions over ${maxFunctionLines} lines     ${long.length}`,
    ...long.map(({ path, name, lines }) => `  ${String(lines).padStart(4)}  ${path}  ${name}`),
    `circles of imports          ${circlesOf(tree).length}`,
    "places outside its folder that import a service",
    ...[...placesOf(tree)].map(
      ([folder, found]) => `  ${String(found.length).padStart(4)}  ${folder}  ${found.join(" ")}`,
    ),
  ];
}
