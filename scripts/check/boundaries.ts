import { existsSync, readFileSync, readdirSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative, resolve, sep } from "node:path";

type Kind = "package" | "service" | "root";
type Workspace = {
  readonly name: string;
  readonly folder: string;
  readonly kind: Kind;
  /** What `src` may import at run time, and what tests may import as well. */
  readonly runtime: ReadonlySet<string>;
  readonly development: ReadonlySet<string>;
};
type Import = { readonly specifier: string; readonly typeOnly: boolean };

/** The services that host the others: one their front doors, the other all of them. */
const hosts = new Set(["@heliograph/ingress", "@heliograph/standalone"]);

const fromClause = /^\s*(?:import|export)\s+(type\s)?[^;"'`]*?\sfrom\s+["']([^"']+)["']/gm;
const sideEffect = /^\s*import\s+["']([^"']+)["']/gm;
const dynamic = /\bimport\(\s*["']([^"']+)["']\s*\)/g;

/** Every module a TypeScript source names: static, side-effect and dynamic imports, and re-exports. */
export function importsOf(source: string): readonly Import[] {
  const text = source.replaceAll(/^\s*(?:\/\/|\*|\/\*).*$/gm, "");
  const imports: Import[] = [];
  for (const [, type, specifier] of text.matchAll(fromClause))
    imports.push({ specifier: specifier!, typeOnly: type !== undefined });
  for (const pattern of [sideEffect, dynamic])
    for (const [, specifier] of text.matchAll(pattern))
      imports.push({ specifier: specifier!, typeOnly: false });
  return imports;
}

function readWorkspace(root: string, folder: string, kind: Kind): Workspace {
  const manifest = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as {
    name: string;
    [section: string]: unknown;
  };
  const section = (name: string): string[] => Object.keys((manifest[name] as object) ?? {});
  const runtime = ["dependencies", "optionalDependencies", "peerDependencies"].flatMap(section);
  return {
    name: manifest.name,
    folder,
    kind,
    runtime: new Set([...runtime, manifest.name]),
    development: new Set([...runtime, manifest.name, ...section("devDependencies")]),
  };
}

function readWorkspaces(root: string): readonly Workspace[] {
  const inside = (parent: string, kind: Kind): Workspace[] =>
    readdirSync(join(root, parent))
      .filter((name) => existsSync(join(root, parent, name, "package.json")))
      .map((name) => readWorkspace(root, `${parent}/${name}`, kind));
  return [...inside("packages", "package"), ...inside("services", "service")];
}

const sourcesIn = (folder: string): readonly string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((file) => /\.[cm]?[jt]s$/.test(file) && !file.includes("node_modules"))
        .map((file) => join(folder, file))
    : [];

const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");

/** What the rules look at besides one file: who is what, and the tools that the root gives to every test (vitest). */
type Tree = {
  readonly root: string;
  readonly kinds: ReadonlyMap<string, Kind>;
  readonly tools: ReadonlySet<string>;
};

function brokenRule(
  own: Workspace,
  { specifier, typeOnly }: Import,
  file: string,
  { root, kinds, tools }: Tree,
): string | undefined {
  if (specifier.startsWith(".")) {
    const target = relative(join(root, own.folder), resolve(dirname(file), specifier));
    const outside = own.kind === "root" ? false : target.startsWith(`..${sep}`);
    return outside ? `reaches out of ${own.folder} with "${specifier}"` : undefined;
  }
  if (isBuiltin(specifier)) return undefined;
  const target = packageOf(specifier);
  const inTest = !relative(join(root, own.folder), file).startsWith(`src${sep}`);
  if (kinds.get(target) === "service" && target !== own.name) {
    if (own.kind === "package") return `a package imports the service ${target}`;
    if (own.kind === "service" && !inTest && !hosts.has(own.name))
      return `a service imports the service ${target}`;
  }
  const allowed = own.kind === "root" || inTest || typeOnly ? own.development : own.runtime;
  if (allowed.has(target) || (inTest && tools.has(target))) return undefined;
  return own.development.has(target)
    ? `src imports ${target}, which is only a devDependency of ${own.folder}`
    : `imports ${target}, which ${own.folder}/package.json does not declare`;
}

/** Packages whose run-time dependencies lead back to themselves, each as the path of the circle. */
function circles(workspaces: readonly Workspace[]): readonly string[] {
  const byName = new Map(workspaces.map((workspace) => [workspace.name, workspace]));
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): void => {
    const start = path.indexOf(name);
    if (start !== -1) found.push([...path.slice(start), name].join(" -> "));
    if (start !== -1 || done.has(name)) return;
    for (const next of byName.get(name)?.runtime ?? [])
      if (next !== name && byName.has(next)) visit(next, [...path, name]);
    done.add(name);
  };
  for (const { name } of workspaces) visit(name, []);
  return found;
}

/**
 * Checks who may import whom: services meet only in the log, the contracts and HTTP; packages know no service; a relative
 * import stays in its package; every other import is declared by the package that makes it. Tests may use the root's tools.
 *
 * @returns one line for each broken rule, `file: what is wrong`; none when the tree keeps all of them.
 */
export function checkBoundaries(root: string): readonly string[] {
  const workspaces = readWorkspaces(root);
  const kinds = new Map(workspaces.map(({ name, kind }) => [name, kind]));
  const broken = circles(workspaces).map((circle) => `packages depend in a circle: ${circle}`);
  const top = readWorkspace(root, ".", "root");
  const tools = new Set([...top.development].filter((name) => !kinds.has(name)));
  for (const own of [...workspaces, top]) {
    const folders = own.kind === "root" ? ["scripts"] : ["src", "test"];
    for (const file of folders.flatMap((name) => sourcesIn(join(root, own.folder, name))))
      for (const found of importsOf(readFileSync(file, "utf8"))) {
        const rule = brokenRule(own, found, file, { root, kinds, tools });
        if (rule) broken.push(`${relative(root, file)}: ${rule}`);
      }
  }
  return broken;
}
