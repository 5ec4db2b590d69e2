import { closeSync, ftruncateSync, readFileSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { EmbeddedPostgresError } from "./error.ts";
import { tryLock } from "./kernel-lock.ts";
import { isAlive, startTicksOf } from "./processes.ts";

export type OwnerLock = { release(): void };

type Owner = { readonly pid: number; readonly startTicks: string; readonly host?: string };

/**
 * Takes the data folder for this process. The kernel holds the lock and gives it free when its owner dies; what is
 * written in the file only tells people who that is.
 *
 * @throws EmbeddedPostgresError when another live process, here or in another container, or an earlier call in this one,
 * holds it.
 */
export function lockFolder(folder: string): OwnerLock {
  const file = join(folder, "owner.lock");
  const descriptor = tryLock(file);
  const owner = parse(readFileSync(file, "utf8"));
  if (descriptor === undefined) throw inUse(folder, owner);
  try {
    // An owner of 0.1 holds no lock in the kernel, only its name in the file.
    if (owner && owner.host === undefined && isAlive(owner)) throw inUse(folder, owner);
    const startTicks = startTicksOf(process.pid);
    ftruncateSync(descriptor);
    writeSync(descriptor, JSON.stringify({ pid: process.pid, startTicks, host: hostname() }));
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  let held = true;
  return {
    release: () => {
      if (!held) return;
      held = false;
      ftruncateSync(descriptor);
      closeSync(descriptor);
    },
  };
}

function inUse(folder: string, owner: Owner | undefined): EmbeddedPostgresError {
  const elsewhere =
    owner?.host !== undefined && owner.host !== hostname() ? ` of ${owner.host}` : "";
  return new EmbeddedPostgresError(
    `${folder} is in use by ${owner ? `process ${owner.pid}${elsewhere}` : "another process"}; stop it first`,
  );
}

/** The owner writes after it has locked, so a reader may meet an empty file, or half of one. */
function parse(text: string): Owner | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
