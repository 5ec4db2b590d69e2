import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));
const installTimeoutMs = 180_000;

/** Another version of the product, installed beside this one. */
export type Checkout = {
  /** The commit, abbreviated. */
  readonly commit: string;
  /** Its standalone `main.ts`. */
  readonly entry: string;
  remove(): Promise<void>;
};

/** The last commit before the engines: one log, one feed, and the tables of that time. */
async function beforeEngines(): Promise<string> {
  const { stdout } = await git(
    "log",
    "--format=%H",
    "--diff-filter=A",
    "--reverse",
    "--",
    "packages/kafka/package.json",
  );
  const [first] = stdout.split("\n");
  if (!first) throw new Error("the history does not say when packages/kafka came; give --previous");
  return `${first}^`;
}
const git = (...args: string[]) => run("git", ["-C", root, ...args]);

/**
 * Makes a git worktree of the ref in a temporary folder and installs it from its lock file, out of the store that this checkout was installed from.
 *
 * @throws Error when there is no git history here, no such ref, or a package that the store does not have.
 */
export async function checkOut(ref?: string): Promise<Checkout> {
  const { stdout } = await git("rev-parse", "--short", ref ?? (await beforeEngines()));
  const commit = stdout.trim();
  const folder = mkdtempSync(join(tmpdir(), "heliograph-version-"));
  const remove = async (): Promise<void> => {
    await git("worktree", "remove", "--force", folder).catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await git("worktree", "add", "--detach", "--force", folder, commit);
    const { packageManager } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    // Its own embedded PostgreSQL is not used, so nothing has to be built.
    const install = ["install", "--offline", "--frozen-lockfile", "--ignore-scripts"];
    await run("npx", ["--yes", packageManager, ...install], {
      cwd: folder,
      timeout: installTimeoutMs,
      env: { ...process.env, CI: "true" },
    });
    const entry = join(folder, "services/standalone/src/main.ts");
    if (!existsSync(entry)) throw new Error(`${commit} has no ${entry}`);
    return { commit, entry, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
