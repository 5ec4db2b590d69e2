import type { Tree } from "./tree.ts";

/** Groups of files that import each other in a circle, type imports included: none of them can be read before the others. */
export function circlesOf(tree: Tree): readonly (readonly string[])[] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: (readonly string[])[] = [];
  // Tarjan's strongly connected components.
  const visit = (path: string): void => {
    index.set(path, index.size);
    low.set(path, index.get(path)!);
    stack.push(path);
    for (const target of tree.byPath.get(path)!.targets) {
      if (!tree.byPath.has(target)) continue;
      if (!index.has(target)) {
        visit(target);
        low.set(path, Math.min(low.get(path)!, low.get(target)!));
      } else if (stack.includes(target))
        low.set(path, Math.min(low.get(path)!, index.get(target)!));
    }
    if (low.get(path) !== index.get(path)) return;
    const group = stack.splice(stack.indexOf(path));
    if (group.length > 1 || tree.byPath.get(path)!.targets.includes(path)) found.push(group.sort());
  };
  for (const { path } of tree.files) if (!index.has(path)) visit(path);
  return found;
}

export const checkCircles = (tree: Tree): readonly string[] =>
  circlesOf(tree).map((group) => `these files import each other in a circle: ${group.join(", ")}`);
