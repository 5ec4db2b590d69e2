import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { parseAllDocuments } from "yaml";

/** A package of others, as the lockfile has it. */
export type Dependency = {
  readonly name: string;
  readonly version: string;
  /** `sha512-…`, of its archive. */
  readonly integrity: string | undefined;
  /** An SPDX expression; undefined where the package is not installed on this machine, or names none. */
  readonly licence: string | undefined;
  /** Whether it is part of what runs, not of what builds and tests it. */
  readonly isShipped: boolean;
  /** Whether a workspace of this repository asks for it itself. */
  readonly isDirect: boolean;
  /** Whether it is for certain machines only, and this one may be another. */
  readonly isOptional: boolean;
  /** `name@version` of what it needs. */
  readonly needs: readonly string[];
};

type Links = Readonly<Record<string, string>>;
type Snapshot = {
  readonly dependencies?: Links;
  readonly optionalDependencies?: Links;
  readonly optional?: boolean;
};
type Importer = Readonly<Record<string, Readonly<Record<string, { readonly version: string }>>>>;
type Lockfile = {
  readonly importers: Readonly<Record<string, Importer>>;
  readonly packages: Readonly<
    Record<string, { readonly resolution?: { readonly integrity?: string } }>
  >;
  readonly snapshots: Readonly<Record<string, Snapshot>>;
};

/** Everything that the lockfile of a checkout installs, by name and version. */
export function readDependencies(root: string): readonly Dependency[] {
  const lockfile = lockfileOf(readFileSync(join(root, "pnpm-lock.yaml"), "utf8"));
  const shipped = shippedBy(lockfile);
  const direct = new Set(
    Object.values(lockfile.importers).flatMap((importer) =>
      Object.values(importer).flatMap((section) =>
        Object.entries(section).map(([name, { version }]) => withoutPeers(keyOf(name, version))),
      ),
    ),
  );
  const licences = readLicences(join(root, "node_modules/.pnpm"));
  const resolved = Map.groupBy(Object.entries(lockfile.snapshots), ([key]) => withoutPeers(key));
  return Object.entries(lockfile.packages).map(([key, { resolution }]) => {
    const { name, version } = partsOf(key);
    const snapshots = resolved.get(key) ?? [];
    const needs = snapshots.flatMap(([, snapshot]) => needsOf(snapshot));
    return {
      name,
      version,
      integrity: resolution?.integrity,
      licence: licences(name, version),
      isShipped: shipped.has(key),
      isDirect: direct.has(key),
      isOptional: snapshots.length > 0 && snapshots.every(([, { optional }]) => optional === true),
      needs: [...new Set(needs.map(withoutPeers))].toSorted(),
    };
  });
}

function lockfileOf(text: string): Lockfile {
  for (const document of parseAllDocuments(text)) {
    const lockfile = document.toJS() as Partial<Lockfile>;
    if (lockfile.importers?.["."] && lockfile.packages && lockfile.snapshots)
      return lockfile as Lockfile;
  }
  throw new Error("the lockfile has no packages");
}

export const partsOf = (key: string): { readonly name: string; readonly version: string } => {
  const at = key.indexOf("@", 1);
  return { name: key.slice(0, at), version: key.slice(at + 1) };
};
/** Without what it was resolved beside: `a@1.0.0(b@2.0.0)` is `a@1.0.0`. */
const withoutPeers = (key: string): string => key.split("(", 1)[0]!;
/** An alias names the package itself: `string-width-cjs: string-width@4.2.3`. */
const keyOf = (name: string, version: string): string =>
  /^@?[^@(]+@/.test(version) ? version : `${name}@${version}`;
const needsOf = ({ dependencies = {}, optionalDependencies = {} }: Snapshot): readonly string[] =>
  Object.entries({ ...dependencies, ...optionalDependencies }).map(([name, version]) =>
    keyOf(name, version),
  );

/** What the services need when they run, and what that needs; with it Node, which comes as a package. */
function shippedBy({ importers, snapshots }: Lockfile): ReadonlySet<string> {
  const found = new Set<string>();
  const seen = new Set<string>();
  const folders = Object.keys(importers).filter((folder) => folder.startsWith("services/"));
  const keys: string[] = [];
  const take = (folder: string, sections: readonly string[]): void => {
    for (const section of sections)
      for (const [name, { version }] of Object.entries(importers[folder]?.[section] ?? {}))
        if (version.startsWith("link:")) folders.push(posix.join(folder, version.slice(5)));
        else keys.push(keyOf(name, version));
  };
  take(".", ["optionalDependencies"]);
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    if (seen.has(folder)) continue;
    seen.add(folder);
    take(folder, ["dependencies", "optionalDependencies"]);
  }
  for (let key = keys.pop(); key !== undefined; key = keys.pop()) {
    if (seen.has(key)) continue;
    seen.add(key);
    found.add(withoutPeers(key));
    keys.push(...needsOf(snapshots[key] ?? {}));
  }
  return found;
}

type Manifest = { readonly license?: unknown; readonly licenses?: unknown };

/** How to look up a licence among the packages that are installed, by name and version. */
function readLicences(store: string): (name: string, version: string) => string | undefined {
  const folders = new Map<string, string>();
  for (const folder of existsSync(store) ? readdirSync(store) : [])
    folders.set(folder.replace(/^(.[^@]*@[^_]*)_.*$/, "$1"), folder);
  return (name, version) => {
    const folder = folders.get(`${name.replace("/", "+")}@${version}`);
    if (folder === undefined) return undefined;
    const file = join(store, folder, "node_modules", name, "package.json");
    if (!existsSync(file)) return undefined;
    return licenceOf(JSON.parse(readFileSync(file, "utf8")) as Manifest);
  };
}

/** As it is written now, or as it was ten years ago: an object, or a list of them, of which any may be chosen. */
export function licenceOf({ license, licenses }: Manifest): string | undefined {
  const given = license ?? licenses;
  if (typeof given === "string") return given;
  const types = (Array.isArray(given) ? given : [given]).flatMap((each: unknown) => {
    const type = typeof each === "object" && each !== null && "type" in each ? each.type : each;
    return typeof type === "string" ? [type] : [];
  });
  if (types.length === 0) return undefined;
  return types.length === 1 ? types[0] : `(${types.join(" OR ")})`;
}
