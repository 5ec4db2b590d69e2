import { lineOf, walk, type Node, type Tree } from "./tree.ts";

/** Files whose functions are pure: the same arguments give the same result, so that a replay decides as the first run did. */
const pure = [/\/(decide|evolve)(\/[^/]+)?\.ts$/, /^packages\/(domain|channels)\/src\//];

const impureCalls = new Set([
  "Date.now",
  "performance.now",
  "Math.random",
  "crypto.randomUUID",
  "randomUUID",
  "randomBytes",
  "newId",
  "uuid7",
  "uuid4",
  "fetch",
  "setTimeout",
  "setInterval",
  "setImmediate",
]);
const impureModules =
  /^(node:(fs|net|http|https|dns|timers|child_process|worker_threads)(\/|$)|pg$|undici$)/;

const nameOf = (node: Node | undefined): string => {
  if (node?.type === "Identifier") return String(node["name"]);
  if (node?.type !== "MemberExpression") return "";
  return `${nameOf(node["object"] as Node)}.${nameOf(node["property"] as Node)}`;
};

/** Clocks, randomness and effects in deciders and in `packages/domain` and `packages/channels`. */
export function checkClocks(tree: Tree): readonly string[] {
  const broken: string[] = [];
  for (const { path, text, program } of tree.files) {
    if (!pure.some((place) => place.test(path)) || path.includes("/test/")) continue;
    const found = (node: Node, what: string): void =>
      void broken.push(
        `${path}:${lineOf(text, node.start)}: ${what} in a pure file: take it as an argument`,
      );
    walk(program, (node) => {
      const callee = node["callee"] as Node | undefined;
      if (node.type === "CallExpression" && impureCalls.has(nameOf(callee)))
        found(node, `${nameOf(callee)}()`);
      if (
        node.type === "NewExpression" &&
        nameOf(callee) === "Date" &&
        (node["arguments"] as unknown[]).length === 0
      )
        found(node, "new Date()");
      const source =
        node.type === "ImportDeclaration" ? (node["source"] as { value: string }).value : "";
      if (impureModules.test(source) && node["importKind"] !== "type") found(node, source);
    });
  }
  return broken;
}
