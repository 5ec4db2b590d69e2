import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { backUpEmbeddedPostgres } from "@heliograph/embedded-postgres";
import { masterKeyFingerprint } from "@heliograph/platform";
import { OpsError } from "./error.ts";
import type { Target } from "./target.ts";

/**
 * Copies the embedded PostgreSQL of the data folder, with its three databases as of one moment, while services go on. The folder that it makes is a data folder without
 * the master key, of which it holds the fingerprint. True when it is whole and on disk. Throws OpsError where the database is not the embedded one.
 */
export async function backUp(
  { settings, server }: Target,
  folder: string,
  signal: AbortSignal,
): Promise<boolean> {
  const source = join(resolve(settings.dataDir), "postgres");
  if (settings.databaseUrl !== undefined || !existsSync(source))
    throw new OpsError(
      "this copies the embedded PostgreSQL only; back up your own with its own tools, as docs/operating/backup.md says",
    );
  const target = resolve(folder);
  if (existsSync(target)) throw new OpsError(`${target} exists already`);
  const partial = `${target}.partial`;
  await mkdir(partial, { mode: 0o700 });
  // As a data folder is: whoever runs PostgreSQL for root passes through, and sees nothing.
  if (process.getuid?.() === 0) await chmod(partial, 0o711);
  try {
    await backUpEmbeddedPostgres(source, server.config, join(partial, "postgres"), signal);
    // Files are never changed and never taken away, so those that the copied tables name are among them.
    if (existsSync(settings.archiveDir)) await copyArchive(settings.archiveDir, partial);
    const fingerprint = masterKeyFingerprint(settings);
    const about = { made_at: new Date().toISOString(), master_key: fingerprint ?? null };
    const text = `${JSON.stringify(about, undefined, 2)}\n`;
    await writeFile(join(partial, "backup.json"), text, { mode: 0o600, flush: true });
    await rename(partial, target);
    say(`${target} holds the three databases.`);
    say(
      fingerprint === undefined
        ? "The master key is not in it, nor known here: keep it elsewhere."
        : `The master key (fingerprint ${fingerprint}) is not in it: keep a copy elsewhere, without it the secrets stay sealed.`,
    );
    if (settings.log === "eventstoredb")
      say("The log is not in it either: back up EventStoreDB now, after this.");
    return true;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

/** Where the copy, as a data folder, looks for it. */
async function copyArchive(from: string, folder: string): Promise<void> {
  for (const { name, parentPath } of await filesBelow(from)) {
    const path = join(folder, "archive", relative(from, parentPath));
    await mkdir(path, { recursive: true, mode: 0o700 });
    await copyFile(join(parentPath, name), join(path, name));
    await sync(join(path, name));
    await sync(path);
  }
}

const filesBelow = async (folder: string) =>
  (await readdir(folder, { recursive: true, withFileTypes: true })).filter(
    (entry) => entry.isFile() && !entry.name.endsWith(".partial"),
  );

async function sync(path: string): Promise<void> {
  const opened = await open(path);
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);
