import { createReadStream, createWriteStream } from "node:fs";
import { chmod, chown, mkdir, open, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import pg from "pg";
import type { Account } from "./account.ts";
import { EmbeddedPostgresError } from "./error.ts";
import { openHome } from "./home.ts";
import { beginBackup, clusterOf, endBackup } from "./store.ts";

/** Folders whose content belongs to the running server; they are made empty (PostgreSQL manual, 25.3.4). Nothing below them has such a name. */
const emptied = new Set([
  "pg_dynshmem",
  "pg_notify",
  "pg_replslot",
  "pg_serial",
  "pg_snapshots",
  "pg_stat_tmp",
  "pg_subtrans",
  "pg_wal",
]);
const leftOut = /^(postmaster\.(pid|opts)|pg_internal\.init.*|pgsql_tmp.*|.*\.tmp)$/;

/**
 * Copies the cluster of a data folder while its server runs, by PostgreSQL's own low-level backup: what is copied between its start and its stop is made
 * consistent by the log of just that time, when a server first starts on the copy. The copy, `target`, is a data folder for `startEmbeddedPostgres`;
 * what a failure leaves of it is none.
 *
 * @param connection the superuser's, to the server that runs on the folder.
 * @param signal ends the copying after the file that is under way.
 * @throws EmbeddedPostgresError when the connection leads to another cluster; the signal's reason.
 */
export async function backUpEmbeddedPostgres(
  dataDir: string,
  connection: pg.ClientConfig,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const { clusterFolder, dataFolder, account } = openHome(dataDir);
  // The account passes through to the cluster, as in a data folder that is laid out anew.
  await mkdir(target, { mode: 0o700 });
  // Whatever the umask says.
  if (account) await chmod(target, 0o711);
  const copy = join(target, "cluster");
  const client = new pg.Client(connection);
  client.on("error", () => {});
  await client.connect();
  try {
    if ((await clusterOf(client)) !== clusterFolder)
      throw new EmbeddedPostgresError(`the server that was given does not run on ${clusterFolder}`);
    await beginBackup(client);
    await copyFolder(clusterFolder, copy, account, signal);
    const { label, last } = await endBackup(client);
    await copyLog(join(clusterFolder, "pg_wal"), join(copy, "pg_wal"), account, label, last);
    await writeFile(join(copy, "backup_label"), label, { mode: 0o600, flush: true });
    await own(join(copy, "backup_label"), account);
  } finally {
    await client.end();
  }
  await copyFile(join(dataFolder, "password"), join(target, "password"), undefined);
  await syncFolder(copy);
  await syncFolder(target);
}

async function copyFolder(
  from: string,
  to: string,
  account: Account,
  signal: AbortSignal,
): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  await own(to, account);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    signal.throwIfAborted();
    const [source, copy] = [join(from, entry.name), join(to, entry.name)];
    if (leftOut.test(entry.name)) continue;
    if (emptied.has(entry.name)) {
      await mkdir(copy, { mode: 0o700 });
      await own(copy, account);
    } else if (entry.isDirectory()) await copyFolder(source, copy, account, signal);
    else await copyFile(source, copy, account);
  }
  await syncFolder(to);
}

/** The log from where the backup began, which its label says, to where it ended, and histories of timelines. */
async function copyLog(
  from: string,
  to: string,
  account: Account,
  label: string,
  last: string,
): Promise<void> {
  const first = /^START WAL LOCATION: .*\(file ([0-9A-F]{24})\)/m.exec(label)?.[1];
  if (first === undefined) throw new EmbeddedPostgresError(`no log in the label: ${label}`);
  const needed = (name: string): boolean =>
    name.endsWith(".history") || (/^[0-9A-F]{24}$/.test(name) && name >= first && name <= last);
  const names = (await readdir(from)).filter(needed);
  if (!names.includes(first) || !names.includes(last))
    throw new EmbeddedPostgresError(`the log from ${first} to ${last} is no longer in ${from}`);
  for (const name of names) await copyFile(join(from, name), join(to, name), account);
  await syncFolder(to);
}

/**
 * Reads to wherever the end is by then: unlike a copy by size, this ends when the server shortens the file meanwhile. One that the server has removed
 * meanwhile is left out: the log says so too.
 */
async function copyFile(from: string, to: string, account: Account): Promise<void> {
  const source = await open(from).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (source === undefined) return;
  await pipeline(
    createReadStream(from, { fd: source, highWaterMark: 1024 * 1024 }),
    createWriteStream(to, { flags: "wx", mode: 0o600, flush: true }),
  );
  await own(to, account);
}

async function own(path: string, account: Account): Promise<void> {
  if (account) await chown(path, account.uid, account.gid);
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
