import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EmbeddedPostgresError } from "./error.ts";
import { isAlive, startTicksOf } from "./processes.ts";

export type OwnerLock = { release(): void };

/**
 * Takes the data folder for this process. The lock file names its owner by process id and start time, so the lock of
 * an owner killed with SIGKILL is recognised and taken over, also when its number was given to another process.
 *
 * @throws EmbeddedPostgresError when another live process, or an earlier call in this one, holds it.
 */
export function lockFolder(folder: string): OwnerLock {
  const file = join(folder, "owner.lock");
  const own = JSON.stringify({ pid: process.pid, startTicks: startTicksOf(process.pid) });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, own, { mode: 0o600 });
  try {
    // Three rounds: a stale lock costs one, losing a race for it another; then the winner is alive and we are refused.
    for (let round = 0; round < 3; round++) {
      if (linked(draft, file)) {
        return { release: () => void (read(file) === own && rmSync(file, { force: true })) };
      }
      const held = read(file);
      if (held === undefined) continue;
      const owner = parse(held);
      if (owner && isAlive(owner)) {
        throw new EmbeddedPostgresError(
          `${folder} is in use by process ${owner.pid}; stop it first`,
        );
      }
      takeAway(file, held);
    }
    throw new EmbeddedPostgresError(`${folder} is being taken by another process; try again`);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Removes a stale lock by renaming it first: of several who try, each sees what it really removed. */
function takeAway(file: string, stale: string): void {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  // A faster process had already replaced it: give that live lock back.
  if (read(aside) !== stale) linked(aside, file);
  rmSync(aside, { force: true });
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function parse(text: string): { pid: number; startTicks: string } | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
