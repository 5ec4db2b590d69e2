import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type Account, accountFor, canEnter } from "./account.ts";
import { EmbeddedPostgresError } from "./error.ts";

/** Where root keeps what the server's account must reach although the checkout is closed to it. */
export const systemFolder = "/var/lib/heliograph";

export type Home = {
  /** Password, port, owner lock and log: always in the data folder, readable by us only. */
  readonly dataFolder: string;
  /** The PostgreSQL cluster: below the data folder, or below `systemFolder` when the account cannot enter the former. */
  readonly clusterFolder: string;
  readonly account: Account;
};

const pointerFile = "cluster-location";

/**
 * Opens or lays out the data folder and decides where the cluster lives. The decision is remembered in a pointer file,
 * so later changes of a folder's mode do not make the data disappear.
 */
export function openHome(dataDir: string): Home {
  if (!existsSync(dataDir)) {
    mkdirSync(dataDir, { recursive: true });
    // The account has to pass through, not to list; a strict umask would have kept it out.
    if (process.getuid?.() === 0) chmodSync(dataDir, 0o711);
  }
  const dataFolder = realpathSync(dataDir);
  const pointer = readText(join(dataFolder, pointerFile));
  if (pointer !== undefined) {
    return { dataFolder, clusterFolder: pointer, account: accountFor(pointer) };
  }
  const clusterFolder = join(dataFolder, "cluster");
  const account = accountFor(clusterFolder);
  if (!account || canEnter(dataFolder, account)) return { dataFolder, clusterFolder, account };
  return { dataFolder, clusterFolder: layOutElsewhere(dataFolder, account), account };
}

function layOutElsewhere(dataFolder: string, account: NonNullable<Account>): string {
  if (existsSync(join(dataFolder, "cluster"))) {
    throw new EmbeddedPostgresError(
      `user ${account.name}, who runs PostgreSQL for root, can no longer enter ${dataFolder}: chmod o+x it and its parents`,
    );
  }
  const hash = createHash("sha256").update(dataFolder).digest("hex").slice(0, 12);
  mkdirSync(systemFolder, { recursive: true, mode: 0o755 });
  const older = readdirSync(systemFolder).filter((name) => name.startsWith(`${hash}-`));
  for (const name of older) {
    process.emitWarning(
      `${join(systemFolder, name)} holds a database of a deleted ${dataFolder}; remove it by hand`,
    );
  }
  // A fresh name each time: whoever deleted the data folder wanted to begin anew, not to meet the old data.
  const folder = join(systemFolder, `${hash}-${randomBytes(4).toString("hex")}`);
  mkdirSync(folder, { mode: 0o711 });
  chmodSync(folder, 0o711);
  writeAtomically(join(dataFolder, pointerFile), join(folder, "cluster"));
  return join(folder, "cluster");
}

/** The superuser's password: made once, readable by the owner of the data folder only. */
export function passwordOf({ dataFolder, clusterFolder }: Home): string {
  const file = join(dataFolder, "password");
  const known = readText(file);
  if (known !== undefined) return known;
  if (existsSync(clusterFolder)) {
    throw new EmbeddedPostgresError(
      `${file} is missing, so the database in ${clusterFolder} cannot be opened`,
    );
  }
  const password = randomBytes(24).toString("base64url");
  writeAtomically(file, password);
  return password;
}

/** The port of the last start, so that a connection string noted down keeps working. */
export function rememberedPort({ dataFolder }: Home): number | undefined {
  const port = Number(readText(join(dataFolder, "port")));
  return Number.isInteger(port) && port > 0 && port < 65536 ? port : undefined;
}

export function rememberPort({ dataFolder }: Home, port: number): void {
  writeAtomically(join(dataFolder, "port"), String(port));
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim() || undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function writeAtomically(file: string, text: string): void {
  writeFileSync(`${file}.${process.pid}`, `${text}\n`, { mode: 0o600, flush: true });
  renameSync(`${file}.${process.pid}`, file);
}
