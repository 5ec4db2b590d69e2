import { isTest, lineOf, walk, type Node, type SourceFile, type Tree } from "./tree.ts";

/** A newcomer holds a function in mind at once, and a file in an afternoon. */
export const maxFunctionLines = 70;
export const maxFileLines = 450;

export type LongFunction = { readonly path: string; readonly name: string; readonly lines: number };

const isFunction = ({ type }: Node): boolean =>
  ["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"].includes(type);

const textOf = (node: unknown): string | undefined => {
  const { name, value } = (node ?? {}) as { name?: unknown; value?: unknown };
  return typeof name === "string" ? name : typeof value === "string" ? value : undefined;
};

/** What a function is called where it stands: its own name, or that of the variable, property or class that holds it. */
function nameOf(node: Node, above: readonly Node[]): string {
  const names = [...above, node].flatMap((item) => {
    if (
      /^(FunctionDeclaration|FunctionExpression|VariableDeclarator|ClassDeclaration)$/.test(
        item.type,
      )
    )
      return textOf(item["id"]) ?? [];
    if (/^(Property|MethodDefinition|PropertyDefinition)$/.test(item.type))
      return textOf(item["key"]) ?? [];
    return [];
  });
  return names.join(".") || "(a function without a name)";
}

function longFunctionsOf(file: SourceFile): readonly LongFunction[] {
  const found: LongFunction[] = [];
  walk(file.program, (node, above) => {
    if (!isFunction(node)) return;
    const lines = lineOf(file.text, node.end) - lineOf(file.text, node.start) + 1;
    if (lines > maxFunctionLines) found.push({ path: file.path, name: nameOf(node, above), lines });
  });
  return found;
}

/** Functions of the product that are too long. A test's claims stand in one `describe`, which may be as long as there are claims. */
export const longFunctions = (tree: Tree): readonly LongFunction[] =>
  tree.files.filter(({ path }) => !isTest(path)).flatMap(longFunctionsOf);

export function checkLengths(tree: Tree): readonly string[] {
  const broken = longFunctions(tree).map(
    ({ path, name, lines }) => `${path}: ${name} has ${lines} lines, more than ${maxFunctionLines}`,
  );
  for (const { path, text } of tree.files) {
    const lines = text.split("\n").length - 1;
    if (lines > maxFileLines) broken.push(`${path} has ${lines} lines, more than ${maxFileLines}`);
  }
  return broken;
}
