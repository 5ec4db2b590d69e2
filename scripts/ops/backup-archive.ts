import { hash } from "node:crypto";
import { copyFile, link, mkdir, open, readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { environments } from "@heliograph/contracts";
import { lookAtArchives, type ArchiveManifest } from "@heliograph/log";
import { databaseConfig, openPool } from "@heliograph/runtime";
import { unlessMissing } from "./doctor/check.ts";
import { OpsError } from "./error.ts";
import type { Target } from "./target.ts";

/**
 * Holds a folder against the files that the databases name: each that an archived event needs is there, its manifest with its digest, its events with their size. Gives how many there are.
 * Throws OpsError that names the first that is not.
 */
export async function requireArchives(
  { server, logger }: Pick<Target, "server" | "logger">,
  folder: string,
  signal: AbortSignal,
): Promise<number> {
  let files = 0;
  for (const environment of environments) {
    const config = databaseConfig(server, environment);
    const pool = openPool(config, { name: "ops", max: 1, durable: true }, logger);
    try {
      // A database that no process of this release has opened yet names none.
      const found = await unlessMissing(lookAtArchives(pool, folder, signal));
      if (found === undefined) continue;
      if (found.flaws.length > 0)
        throw new OpsError(
          `${found.files} files of archived events are needed for ${environment}, and not all are in ${folder}: ${found.flaws[0]}. Without them the backup is not whole: is the folder mounted, and HELIOGRAPH_ARCHIVE_DIR what the services have?`,
        );
      files += found.files;
    } finally {
      await pool.end();
    }
  }
  return files;
}

/**
 * Copies the files of archived events and brings them to the disk. They never change and nothing else ever has their names, so one that an earlier backup has is the same file once more, where the file system can do that.
 * Throws OpsError where a copied file is not what was written; the signal's reason.
 */
export async function copyArchive(
  from: string,
  to: string,
  earlier: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  await mkdir(to, { mode: 0o750 });
  const folders = new Set([to]);
  const copied = new Set<string>();
  for (const { name, parentPath } of await filesBelow(from)) {
    signal.throwIfAborted();
    const below = relative(from, join(parentPath, name));
    const target = join(to, below);
    folders.add(dirname(target));
    await mkdir(dirname(target), { recursive: true, mode: 0o750 });
    const known = earlier === undefined ? undefined : join(earlier, below);
    if (known !== undefined && (await isLinked(known, join(from, below), target))) continue;
    await copyFile(join(from, below), target);
    await sync(target);
    copied.add(target);
  }
  for (const path of copied) if (path.endsWith(".zst")) await requireWritten(path, signal);
  for (const folder of folders) await sync(folder);
}

const filesBelow = async (folder: string) =>
  (await readdir(folder, { recursive: true, withFileTypes: true })).filter(
    (entry) => entry.isFile() && !entry.name.endsWith(".partial"),
  );

async function isLinked(known: string, source: string, target: string): Promise<boolean> {
  try {
    if ((await stat(known)).size !== (await stat(source)).size) return false;
    await link(known, target);
    return true;
  } catch {
    // Not there, on another file system, or on one without links: it is copied.
    return false;
  }
}

/** Reads what was copied: that a file was damaged where it came from shows while an earlier backup still has it whole. */
async function requireWritten(path: string, signal: AbortSignal): Promise<void> {
  const blocks = await blocksOf(path.replace(/\.zst$/, ".json"));
  // One that a crash kept from its manifest: nothing names it.
  if (blocks === undefined) return;
  const file = await open(path);
  try {
    for (const { offset, bytes, sha256 } of blocks) {
      signal.throwIfAborted();
      const block = Buffer.alloc(bytes);
      await file.read(block, 0, bytes, offset);
      if (hash("sha256", block, "hex") !== sha256)
        throw new OpsError(
          `${path} is not what was written, at byte ${offset}: take the file from an earlier backup, and make this one again`,
        );
    }
  } finally {
    await file.close();
  }
}

async function blocksOf(manifest: string): Promise<ArchiveManifest["blocks"] | undefined> {
  try {
    return (JSON.parse(await readFile(manifest, "utf8")) as ArchiveManifest).blocks;
  } catch {
    // Whether it is needed, and has its digest, is asked of all that the databases name.
    return undefined;
  }
}

/** Brings a file, or the names in a folder, to the disk. */
export async function sync(path: string): Promise<void> {
  const opened = await open(path);
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}
