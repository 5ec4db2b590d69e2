import { execFile } from "node:child_process";
import { createReadStream, createWriteStream, existsSync, mkdirSync } from "node:fs";
import { chmod, mkdtemp, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createBrotliDecompress } from "node:zlib";

const run = promisify(execFile);

export type Program = {
  readonly executablePath: string;
  readonly env?: Readonly<Record<string, string>>;
};

/** Libraries that a bare machine lacks, and a font. */
const archives = ["al2023", "fonts"];

/**
 * The headless Chromium of the package `@sparticuz/chromium`, unpacked once into the cache. The package would unpack itself into the temporary folder, where two tests that
 * begin at once meet half a file.
 */
export async function packedBrowser(): Promise<Program> {
  const entry = fileURLToPath(import.meta.resolve("@sparticuz/chromium"));
  const packed = join(dirname(entry), "..", "bin");
  const version = /chromium@([\w.-]+)/.exec(entry)?.[1] ?? "any";
  const cache = join(
    process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"),
    "heliograph",
    `chromium-${version}`,
  );
  if (!existsSync(cache)) await unpack(packed, cache);
  return {
    executablePath: join(cache, "chromium"),
    env: {
      LD_LIBRARY_PATH: [join(cache, "lib"), process.env["LD_LIBRARY_PATH"]]
        .filter(Boolean)
        .join(":"),
      ...(!existsSync("/etc/fonts/fonts.conf") && { FONTCONFIG_PATH: cache }),
    },
  };
}

/** Whoever is first makes the folder, whole. */
async function unpack(packed: string, cache: string): Promise<void> {
  mkdirSync(dirname(cache), { recursive: true });
  const made = await mkdtemp(`${cache}.`);
  try {
    const unpacked = async (name: string, to: string): Promise<string> => {
      const path = join(made, to);
      await pipeline(
        createReadStream(join(packed, name)),
        createBrotliDecompress(),
        createWriteStream(path),
      );
      return path;
    };
    await chmod(await unpacked("chromium.br", "chromium"), 0o755);
    for (const archive of archives) {
      const tar = await unpacked(`${archive}.tar.br`, `${archive}.tar`);
      await run("tar", ["-xf", tar, "-C", made]);
      await rm(tar);
    }
    await rename(made, cache).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}
