import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { newDataDir, removeDataDir } from "@heliograph/testkit";
import { ownFiles } from "../../services/site/src/index.ts";
import { expect, test } from "vitest";
import { bundle, prepareFolder } from "./bundle.ts";

test("a bundle has everything but the packages beside it, and what it reads where it looks for it", async () => {
  const outside = newDataDir();
  // What stands in an address for something else than in a path.
  const folder = join(outside, "50% #1?");
  try {
    const { file } = await bundle(folder, { postgres: false });
    expect(existsSync(join(folder, "node_modules/@node-rs/argon2/package.json"))).toBe(true);
    for (const each of ["docs/**/*.md", "schemas/**/*.json", "services/site/src/*.{css,png,json}"])
      for (const path of ownFiles.list(each))
        expect(existsSync(join(folder, path)), path).toBe(true);
    // Every module of it is loaded before the settings are read.
    const env = { ...process.env, HELIOGRAPH_PORT: "none", HELIOGRAPH_DATA_DIR: folder };
    const started = await new Promise((resolve) => {
      execFile(process.execPath, [file], { env, cwd: "/" }, (error, _, said) =>
        resolve([error?.code, said]),
      );
    });
    expect(started).toEqual([2, expect.stringMatching(/^heliograph: HELIOGRAPH_PORT: [^\n]+\n$/)]);
  } finally {
    await removeDataDir(outside);
  }
}, 240_000);

test("a bundle replaces an earlier one, and nothing else that lies in its folder", async () => {
  const folder = newDataDir();
  const add = async (...path: string[]): Promise<void> => {
    await mkdir(join(folder, ...path.slice(0, -1)), { recursive: true });
    await writeFile(join(folder, ...path), "{}");
  };
  try {
    await add("docs", "old.md");
    await expect(prepareFolder(folder)).rejects.toThrow("neither empty nor a bundle's");
    await add("package.json");
    await expect(prepareFolder(folder)).rejects.toThrow("neither empty nor a bundle's");
    expect((await readdir(folder)).toSorted()).toEqual(["docs", "package.json"]);

    const own = join(folder, "dist");
    await prepareFolder(own);
    expect(JSON.parse(await readFile(join(own, "package.json"), "utf8"))).toMatchObject({
      name: "heliograph-bundle",
    });
    await add("dist", "node_modules", "old", "package.json");
    await add("dist", "heliograph.mjs");
    await add("dist", ".heliograph", "master.key");
    await prepareFolder(own);
    expect((await readdir(own)).toSorted()).toEqual([".heliograph", "package.json"]);
  } finally {
    await removeDataDir(folder);
  }
});
