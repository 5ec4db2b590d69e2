import { isTest, walk, type SourceFile, type Tree } from "./tree.ts";

type Place = `${string}#${string}`;

/** What tests alone use and what belongs to the product all the same, with the reason. */
const keptForTests: ReadonlySet<string> = new Set<Place>([
  // A driver of the log like the others: the one contract suite holds it to the port.
  "packages/log/src/memory.ts#openMemoryLog",
]);

/** What is published: whoever installs it uses what it exports. */
const published = ["packages/client/src/index.ts"];

/** Follows a name through files that only pass it on, to the one that makes it. */
function originOf(
  tree: Tree,
  path: string,
  name: string,
  seen = new Set<string>(),
): Place | undefined {
  const file = tree.byPath.get(path);
  if (file === undefined || seen.has(`${path}#${name}`)) return undefined;
  seen.add(`${path}#${name}`);
  for (const item of file.exports) {
    if (item.name !== name && item.name !== "*") continue;
    if (item.from === undefined) return `${path}#${name}`;
    const origin = originOf(tree, item.from, item.source === "*" ? name : item.source!, seen);
    if (origin !== undefined) return origin;
    // `export * as name` passes on the whole of a file.
    if (item.name === name) return undefined;
  }
  const passedOn = file.imports.find((item) => item.name === name);
  return passedOn && originOf(tree, passedOn.from, name, seen);
}

/** Names of a file that its own code uses besides exporting them. */
function ownUses(file: SourceFile): ReadonlySet<string> {
  const counts = new Map<string, number>();
  walk(file.program, (node) => {
    if (node.type !== "Identifier" && node.type !== "IdentifierReference") return;
    const name = String(node["name"]);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  });
  return new Set([...counts].filter(([, count]) => count > 1).map(([name]) => name));
}

/** Code that only tests keep alive: exported, used by tests, and by nothing else, not even in its own file. */
export function checkExports(tree: Tree): readonly string[] {
  const usedBy = { product: new Set<string>(), tests: new Set<string>() };
  for (const path of published)
    for (const { name } of tree.byPath.get(path)?.exports ?? []) {
      const origin = originOf(tree, path, name);
      if (origin !== undefined) usedBy.product.add(origin);
    }
  for (const file of tree.files) {
    const used =
      isTest(file.path) || file.path.startsWith("packages/testkit/")
        ? usedBy.tests
        : usedBy.product;
    for (const { name, from } of file.imports) {
      const names =
        name === "*" ? (tree.byPath.get(from)?.exports ?? []).map((item) => item.name) : [name];
      for (const item of names) {
        const origin = originOf(tree, from, item);
        if (origin !== undefined) used.add(origin);
      }
    }
  }
  const broken: string[] = [];
  for (const file of tree.files) {
    if (
      isTest(file.path) ||
      file.path.startsWith("packages/testkit/") ||
      !/^(packages|services)\//.test(file.path)
    )
      continue;
    const own = ownUses(file);
    for (const { name, from } of file.exports) {
      const place = `${file.path}#${name}`;
      if (keptForTests.has(place)) continue;
      if (
        from === undefined &&
        usedBy.tests.has(place) &&
        !usedBy.product.has(place) &&
        !own.has(name)
      )
        broken.push(`${file.path}: only tests use ${name}`);
    }
  }
  return broken;
}
