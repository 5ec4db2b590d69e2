import { existsSync } from "node:fs";
import { chmod, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { backUpEmbeddedPostgres } from "@heliograph/embedded-postgres";
import { masterKeyFingerprint } from "@heliograph/platform";
import { copyArchive, requireArchives, sync } from "./backup-archive.ts";
import { OpsError } from "./error.ts";
import type { Target } from "./target.ts";

/**
 * Copies the embedded PostgreSQL of the data folder, with its three databases as of one moment, while services go on. The folder that it makes is a data folder without
 * the master key, of which it holds the fingerprint. True when it is whole and on disk. Throws OpsError where the database is not the embedded one, and where a file of archived events is missing.
 *
 * @param earlier a backup whose files of archived events are taken once more in place of copies.
 */
export async function backUp(
  target: Target,
  folder: string,
  earlier: string | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const { settings, server } = target;
  const source = join(resolve(settings.dataDir), "postgres");
  if (settings.databaseUrl !== undefined || !existsSync(source))
    throw new OpsError(
      "this copies the embedded PostgreSQL only; back up your own with its own tools, as docs/operating/backup.md says",
    );
  const whole = resolve(folder);
  if (existsSync(whole)) throw new OpsError(`${whole} exists already`);
  if (earlier !== undefined && !existsSync(join(earlier, "backup.json")))
    throw new OpsError(`${resolve(earlier)} is no backup`);
  // Before an hour's copying, and again of what was copied.
  await requireArchives(target, settings.archiveDir, signal);
  const partial = `${whole}.partial`;
  await mkdir(partial, { mode: 0o700 });
  // As a data folder is: whoever runs PostgreSQL for root passes through, and sees nothing.
  if (process.getuid?.() === 0) await chmod(partial, 0o711);
  try {
    await backUpEmbeddedPostgres(source, server.config, join(partial, "postgres"), signal);
    // Files are never changed and never taken away, so those that the copied tables name are among them.
    const archive = join(partial, "archive");
    if (existsSync(settings.archiveDir))
      await copyArchive(settings.archiveDir, archive, earlier && join(earlier, "archive"), signal);
    const archived = await requireArchives(target, archive, signal);
    const fingerprint = masterKeyFingerprint(settings);
    const about = { made_at: new Date().toISOString(), master_key: fingerprint ?? null };
    const text = `${JSON.stringify(about, undefined, 2)}\n`;
    await writeFile(join(partial, "backup.json"), text, { mode: 0o600, flush: true });
    await sync(partial);
    await rename(partial, whole);
    await sync(dirname(whole));
    const files = archived === 0 ? "" : `, and ${archived} files of archived events`;
    say(`${whole} holds the three databases${files}.`);
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

const say = (line: string): void => void process.stdout.write(`${line}\n`);
