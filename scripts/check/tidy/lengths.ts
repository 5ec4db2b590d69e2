import { isTest, lineOf, walk, type Node, type SourceFile, type Tree } from "./tree.ts";

/** A newcomer holds a function in mind at once, and a file in an afternoon. */
export const maxFunctionLines = 70;
export const maxFileLines = 450;

/**
 * Functions that are longer and may stay so until they are taken apart, with the lines they have. The list only shrinks: a function that has grown, is no longer
 * too long or is gone from here fails the check as a new one does.
 */
export const longFunctionsKnown: Readonly<Record<string, number>> = {
  "packages/log/src/eventstoredb/appender.ts#makeAppender": 104,
  "packages/log/src/eventstoredb/calls.ts#makeCalls": 117,
  "packages/log/src/eventstoredb/copy-target.ts#openEventStoreCopyTarget": 163,
  "packages/log/src/eventstoredb/feed.ts#makeFeed": 307,
  "packages/log/src/eventstoredb/reader.ts#makeReader": 246,
  "packages/log/src/eventstoredb/writer.ts#makeWriter": 170,
};

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

export function checkLengths(
  tree: Tree,
  known: Readonly<Record<string, number>> = longFunctionsKnown,
): readonly string[] {
  const broken: string[] = [];
  const seen = new Set<string>();
  for (const { path, name, lines } of longFunctions(tree)) {
    const key = `${path}#${name}`;
    seen.add(key);
    const allowed = known[key];
    if (allowed === undefined)
      broken.push(`${path}: ${name} has ${lines} lines, more than ${maxFunctionLines}`);
    else if (lines > allowed)
      broken.push(`${path}: ${name} has ${lines} lines and had ${allowed}: it may only shrink`);
    else if (lines < allowed)
      broken.push(
        `${path}: ${name} has ${lines} lines; say so in the list of those that are too long`,
      );
  }
  for (const key of Object.keys(known))
    if (!seen.has(key)) broken.push(`${key} is not too long any more: take it off the list`);
  for (const { path, text } of tree.files) {
    const lines = text.split("\n").length - 1;
    if (lines > maxFileLines) broken.push(`${path} has ${lines} lines, more than ${maxFileLines}`);
  }
  return broken;
}
