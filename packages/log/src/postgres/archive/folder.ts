import { mkdir, readFile, writeFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { join } from "node:path";
import type pg from "pg";
import type { ArchiveWatch } from "../../watch.ts";
import { syncFolder } from "./files.ts";
import { sizeOf } from "./size.ts";

/** Which log it is. Copies of its database are the same one: what they find in the folder is theirs too. */
export type Identity = { readonly id: string; readonly database: string };

export const FOLDER_MIGRATION = `
  -- Stands in the archive's folder too, by which a process sees that the folder that it has is this log's.
  create table log.archive_identity (one boolean primary key default true check (one), id uuid not null default gen_random_uuid());
  insert into log.archive_identity default values;
`;

const IDENTITY = "select id, current_database() as database from log.archive_identity";
const HAS_FILES = "select 1 as one from log.archives where state <> 'restored' limit 1";
/** Every open log has one such session; an earlier release says nothing of a folder in its name. */
const WITHOUT = `select pid, coalesce(host(client_addr), 'this machine') as host from pg_stat_activity
  where datname = current_database() and application_name like '%heliograph log % wake-up%' and position($1 in application_name) = 0`;

type Queries = Pick<pg.Pool, "query"> | Pick<pg.ClientBase, "query">;

export const identityOf = async (client: Queries): Promise<Identity> =>
  (await client.query(IDENTITY)).rows[0] as Identity;

export const hasFiles = async (client: Queries): Promise<boolean> =>
  (await client.query(HAS_FILES)).rows.length > 0;

/** What a log has of the folder is below it, under a name of its own: logs of several installations may share the folder. */
export const nameOf = ({ id, database }: Identity): string => `${database}-${id.slice(0, 8)}`;
const markOf = (folder: string, identity: Identity): string =>
  join(folder, nameOf(identity), "identity");

/** Whether a folder is the one of this log: not another, and not an empty place where it would be mounted. */
export const isFolderOf = (folder: string, identity: Identity): Promise<boolean> =>
  readFile(markOf(folder, identity), "utf8").then(
    (text) => text.trim() === identity.id,
    () => false,
  );

/** Makes a folder the one of this log. */
export async function markFolder(folder: string, identity: Identity): Promise<void> {
  const own = join(folder, nameOf(identity));
  await mkdir(own, { recursive: true, mode: 0o750 });
  await writeFile(markOf(folder, identity), `${identity.id}\n`, { mode: 0o640, flush: true });
  await syncFolder(own);
  await syncFolder(folder);
}

/** A process looks so often whether it has the folder. */
const LOOK_MS = 1_000;
/** How much is archived is told at the first of so many looks. */
const RARELY = 60;
/** An archive waits so long for all of them to have looked. */
const SEEN_MS = 15 * LOOK_MS;

/** What the name of a session ends with whose process has the folder. */
const sayingOf = ({ id }: Identity): string => `, archive ${id.slice(0, 8)}`;

type FolderWatch = Pick<ArchiveWatch, "archived"> & {
  say(what: string): void;
  onError(error: unknown): void;
};

/**
 * Looks now and then whether the folder is there. `say` gets what is to be told of it to whoever archives, empty where it is not; `onError` hears where events are archived that cannot be read here; `archived`
 * once a minute how much there is.
 */
export async function watchFolder(
  client: Queries,
  folder: string,
  { say, onError, archived }: FolderWatch,
): Promise<{ close(): void }> {
  const identity = await identityOf(client);
  const size = sizeOf(client, folder);
  let known: boolean | undefined;
  let looks = 0;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  async function look(): Promise<void> {
    const isThere = await isFolderOf(folder, identity);
    if (closed) return;
    if (isThere !== known) {
      known = isThere;
      say(isThere ? sayingOf(identity) : "");
      if (!isThere && (await hasFiles(client).catch(() => false)))
        onError(
          new Error(`${folder} is not the folder of the archive: archived events cannot be read`),
        );
    }
    // A database that is away is told of by whoever reads.
    if (looks++ % RARELY === 0) await size().then(archived, () => {});
    if (!closed) timer = setTimeout(() => void look(), LOOK_MS).unref();
  }
  void look();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** Processes that have the log open and do not say that they have its folder, once each had the time to look. */
export async function readersWithout(
  client: Queries,
  identity: Identity,
  signal: AbortSignal,
  waitMs = SEEN_MS,
): Promise<readonly { readonly pid: string; readonly host: string }[]> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const { rows } = await client.query(WITHOUT, [sayingOf(identity)]);
    if (rows.length === 0 || performance.now() > deadline) return rows;
    signal.throwIfAborted();
    await wait(LOOK_MS / 4);
  }
}
