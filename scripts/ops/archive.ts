import { resolve } from "node:path";
import type { Category, Environment } from "@heliograph/contracts";
import { archivePostgresLog, positionBefore, restorePostgresLog } from "@heliograph/log";
import { databaseConfig, listProjections, openLog, type ProjectionRow } from "@heliograph/runtime";
import { roomAt, roomText } from "./doctor/disk.ts";
import { OpsError } from "./error.ts";
import { newLine } from "./progress.ts";
import type { Target } from "./target.ts";

/**
 * Archives what was written before a time, epoch ms, and every consumer has passed. Events that somebody is about to read stay where they are read at no further cost. True once it is done.
 * Throws OpsError where nothing can be archived.
 */
export async function archive(
  target: Target,
  environment: Environment,
  before: number,
  signal: AbortSignal,
  {
    share,
    evenRestored = false,
  }: { readonly share?: number; readonly evenRestored?: boolean } = {},
): Promise<boolean> {
  const { databaseUrl, archiveDirIsPreset } = target.settings;
  if (databaseUrl !== undefined && archiveDirIsPreset)
    throw new OpsError(
      "HELIOGRAPH_ARCHIVE_DIR: on a database of its own, say in which folder every process finds the archive",
    );
  let reached = 0n;
  const through = async (): Promise<bigint> => {
    const limit = await limitOf(target, environment, before);
    const { heldBy } = limit;
    if (heldBy !== undefined)
      say(`${heldBy.name} is at position ${heldBy.position}: what lies behind it stays.`);
    return (reached = limit.through);
  };
  const { events, files } = await whileThereIsRoom(
    target.settings.archiveDir,
    signal,
    (lasting, look) =>
      working(target, environment, lasting, share, (options) =>
        archivePostgresLog({
          ...options,
          through,
          categories: endingCategories,
          evenRestored,
          onProgress(done, position) {
            options.onProgress?.(done, position);
            look();
          },
        }),
      ),
  );
  say(
    `${environment}: ${count(events)} events up to position ${reached} archived, ${count(files)} files in ${resolve(target.settings.archiveDir)}`,
  );
  return true;
}

/**
 * Streams that end: nobody decides about them again, and what is asked of them is asked soon. The others live on, and are read from their beginning by whoever decides or proves (every wallet each night): one event of many in a
 * block that is unpacked whole, half a second and more for a hundred of them.
 */
const endingCategories: readonly Category[] = [
  "message",
  "receipts",
  "hold",
  "topup",
  "inbound",
  "callback",
  "unmatched",
];

/** Some ten files as large as they come. Where the database is on the same disk, the doctor has warned long before. */
const fewestFreeBytes = 2 ** 30;

/**
 * Lets work begin only where a folder has room, and ends it by its signal once that is gone; `look` is called whenever it may have changed. Throws OpsError where there is none, which is before a file that does not fit is begun.
 */
export async function whileThereIsRoom<T>(
  folder: string,
  signal: AbortSignal,
  work: (signal: AbortSignal, look: () => void) => Promise<T>,
  room: typeof roomAt = roomAt,
): Promise<T> {
  const full = new AbortController();
  const look = async (): Promise<void> => {
    const left = await room(resolve(folder));
    if (left.free < fewestFreeBytes)
      full.abort(
        new OpsError(
          `too little room for archived events, ${roomText(left)} in ${folder}: nothing is lost; make room and run it again, it goes on where it was`,
        ),
      );
  };
  await look();
  full.signal.throwIfAborted();
  return work(AbortSignal.any([signal, full.signal]), () => {
    // A folder that cannot be looked at now is the matter of whoever writes there.
    look().catch(() => {});
  });
}

/** Puts back what files have that reach behind a position. */
export async function restore(
  target: Target,
  environment: Environment,
  after: bigint,
  signal: AbortSignal,
  share?: number,
): Promise<boolean> {
  const { events, files } = await working(target, environment, signal, share, (options) =>
    restorePostgresLog({ ...options, after }),
  );
  say(`${environment}: ${count(events)} events of ${count(files)} files are in the table again`);
  return true;
}

type Work = Parameters<typeof restorePostgresLog>[0];

async function working<T>(
  { settings, server }: Target,
  environment: Environment,
  signal: AbortSignal,
  share: number | undefined,
  work: (options: Omit<Work, "after">) => Promise<T>,
): Promise<T> {
  if (settings.log === "eventstoredb")
    throw new OpsError("EventStoreDB keeps its log itself: only PostgreSQL's is archived");
  const line = newLine();
  let before = 0;
  let last = 0;
  const onProgress = (done: number, position: bigint): void => {
    // Each file counts from nothing.
    if (done < last) before += last;
    last = done;
    line.show(`${environment}: ${count(before + done)} events, at position ${position}`);
  };
  try {
    const connection = databaseConfig(server, environment);
    return await work({ connection, archiveDir: settings.archiveDir, onProgress, signal, share });
  } finally {
    line.end();
  }
}

async function limitOf(
  { settings, server, logger, pool }: Target,
  environment: Environment,
  before: number,
) {
  const log = await openLog(settings, server, environment, logger);
  try {
    const old = await positionBefore(log, before);
    return passedBy(await listProjections(await pool(environment)), old);
  } finally {
    await log.close();
  }
}

/** Up to where of the old events everybody has come, and who holds the rest. One of several copies that is at its own last event has come as far as there is. */
export function passedBy(
  consumers: readonly Pick<ProjectionRow, "name" | "position" | "head">[],
  old: bigint,
): {
  readonly through: bigint;
  readonly heldBy?: { readonly name: string; readonly position: bigint };
} {
  const behind = consumers.filter(
    ({ position, head }) => position < old && (head === undefined || position < head),
  );
  const [last] = behind.toSorted((one, other) => (one.position < other.position ? -1 : 1));
  return last === undefined ? { through: old } : { through: last.position, heldBy: last };
}

const count = (value: number): string => value.toLocaleString("en");
const say = (line: string): void => void process.stdout.write(`${line}\n`);
