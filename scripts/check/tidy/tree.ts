import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { parseSync, type Program } from "oxc-parser";

/** A name that a file gives to others. `from` is set where it only passes on what another file gives. */
export type Export = { readonly name: string; readonly from?: string; readonly source?: string };
/** A name that a file takes from another; `*` takes all of them. */
export type Import = { readonly name: string; readonly from: string };

export type SourceFile = {
  /** Relative to the root, with slashes. */
  readonly path: string;
  readonly text: string;
  readonly program: Program;
  /** The files of the tree that it imports or passes on, type imports included. */
  readonly targets: readonly string[];
  readonly imports: readonly Import[];
  readonly exports: readonly Export[];
};

export type Tree = {
  readonly root: string;
  readonly files: readonly SourceFile[];
  readonly byPath: ReadonlyMap<string, SourceFile>;
};

/** Any node of the syntax tree, as the rules look at it: its type, its place, and whatever else it has. */
export type Node = {
  readonly type: string;
  readonly start: number;
  readonly end: number;
} & Readonly<Record<string, unknown>>;

const patterns = [
  "packages/*/{src,test}/**/*.ts",
  "services/*/{src,test}/**/*.ts",
  "scripts/**/*.{ts,mjs}",
];

/** Parses every source of the tree once; all rules look at the same result. */
export function readTree(root: string): Tree {
  const packages = packageFolders(root);
  const paths = globSync(patterns, { cwd: root, exclude: ["**/node_modules/**"] })
    .map((path) => path.replaceAll("\\", "/"))
    .sort();
  const files = paths.map((path) => readSource(root, path, packages));
  return { root, files, byPath: new Map(files.map((file) => [file.path, file])) };
}

export const isTest = (path: string): boolean =>
  /^(packages|services)\/[^/]+\/test\//.test(path) || path.endsWith(".test.ts");

/** Line of an offset, from 1. */
export const lineOf = (text: string, offset: number): number =>
  text.slice(0, offset).split("\n").length;

/** Visits a node and all below it, with the nodes above, nearest last. */
export function walk(
  node: unknown,
  visit: (node: Node, above: readonly Node[]) => void,
  above: readonly Node[] = [],
): void {
  if (Array.isArray(node)) {
    for (const item of node) walk(item, visit, above);
    return;
  }
  if (typeof node !== "object" || node === null) return;
  const known = typeof (node as Node).type === "string" ? (node as Node) : undefined;
  if (known !== undefined) visit(known, above);
  const below = known === undefined ? above : [...above, known];
  for (const value of Object.values(node)) if (typeof value === "object") walk(value, visit, below);
}

function packageFolders(root: string): ReadonlyMap<string, string> {
  const manifests = globSync(["packages/*/package.json", "services/*/package.json"], { cwd: root });
  return new Map(
    manifests.map((path) => {
      const { name } = JSON.parse(readFileSync(join(root, path), "utf8")) as { name: string };
      return [name, dirname(path)];
    }),
  );
}

function readSource(root: string, path: string, packages: ReadonlyMap<string, string>): SourceFile {
  const text = readFileSync(join(root, path), "utf8");
  const { program, module, errors } = parseSync(path, text, { sourceType: "module" });
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]!.message}`);
  const fileOf = (specifier: string): string | undefined => {
    if (specifier.startsWith("."))
      return relative(root, resolve(root, dirname(path), specifier)).replaceAll("\\", "/");
    const folder = packages.get(specifier);
    return folder === undefined ? undefined : `${folder}/src/index.ts`;
  };
  const imports: Import[] = [];
  const exports: Export[] = [];
  const targets = new Set<string>();
  const reach = (specifier: string): string | undefined => {
    const target = fileOf(specifier);
    if (target !== undefined) targets.add(target);
    return target;
  };
  for (const { moduleRequest, entries } of module.staticImports) {
    const from = reach(moduleRequest.value);
    if (from === undefined) continue;
    for (const { importName } of entries)
      imports.push({
        name:
          importName.kind === "Name"
            ? importName.name!
            : importName.kind === "Default"
              ? "default"
              : "*",
        from,
      });
  }
  for (const { entries } of module.staticExports)
    for (const { exportName, importName, moduleRequest } of entries) {
      const from = moduleRequest === null ? undefined : reach(moduleRequest.value);
      const name =
        exportName.kind === "Name"
          ? exportName.name!
          : exportName.kind === "Default"
            ? "default"
            : "*";
      const source = importName.kind === "Name" ? importName.name! : "*";
      exports.push(from === undefined ? { name } : { name, from, source });
    }
  for (const { moduleRequest } of module.dynamicImports) {
    const from = reach(text.slice(moduleRequest.start, moduleRequest.end).replaceAll(/["'`]/g, ""));
    if (from !== undefined) imports.push({ name: "*", from });
  }
  return { path, text, program, targets: [...targets], imports, exports };
}
