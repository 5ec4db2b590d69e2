import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { newDataDir, removeDataDir } from "@heliograph/testkit";
import { ownFiles } from "../../services/site/src/index.ts";
import { expect, test } from "vitest";
import { bundle } from "./bundle.ts";

test("a bundle has everything but the packages beside it, and what it reads where it looks for it", async () => {
  const folder = newDataDir();
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
    await removeDataDir(folder);
  }
}, 240_000);
