import { isTest, lineOf, walk, type Node, type Tree } from "./tree.ts";

/**
 * Functions that are written to the right of a property (`call.begin = () => …`). V8 takes them for methods of a prototype and makes them in its old generation. Made for each request, each
 * holds all that the request refers to past every collection of the young generation, until the next whole one.
 */
export function checkYoung(tree: Tree): readonly string[] {
  const broken: string[] = [];
  for (const { path, text, program } of tree.files) {
    if (!/^(packages|services)\//.test(path) || isTest(path)) continue;
    walk(program, (node) => {
      if (node.type !== "AssignmentExpression") return;
      const [left, right] = [node["left"] as Node, node["right"] as Node];
      if (left.type === "MemberExpression" && /Function/.test(right.type))
        broken.push(
          `${path}:${lineOf(text, node.start)}: a function is made in the old generation: give it a name first`,
        );
    });
  }
  return broken;
}
