import { checkCircles } from "./circles.ts";
import { checkClocks } from "./clocks.ts";
import { checkExamples } from "./examples.ts";
import { checkExports } from "./exports.ts";
import { checkLengths } from "./lengths.ts";
import { checkSql } from "./sql.ts";
import { readTree } from "./tree.ts";
import { checkYoung } from "./young.ts";

/** The rules of the house that neither types nor lint can tell (CONTRIBUTING). One line for each that is broken. */
export function checkTidy(root: string): readonly string[] {
  const tree = readTree(root);
  return [
    ...checkLengths(tree),
    ...checkCircles(tree),
    ...checkSql(tree),
    ...checkClocks(tree),
    ...checkExports(tree),
    ...checkYoung(tree),
    ...checkExamples(root),
  ];
}
