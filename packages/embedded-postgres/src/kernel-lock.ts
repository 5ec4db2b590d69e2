import { spawnSync } from "node:child_process";
import { closeSync, fstatSync, openSync, statSync } from "node:fs";
import { EmbeddedPostgresError } from "./error.ts";

/**
 * Locks a file by flock(2) and gives its descriptor, or undefined when somebody else holds it. The kernel keeps the lock
 * with the file, so it counts in every container that shares the folder, where process ids and System V segments do
 * not; and until every process that has the descriptor closed it or is dead, however it died. Node has no flock:
 * flock(1) locks the open file that it is given, and the lock stays with our descriptor when it ends.
 */
export function tryLock(file: string): number | undefined {
  for (;;) {
    const descriptor = openSync(file, "a+", 0o600);
    let locked = false;
    try {
      locked = flock(descriptor, file);
      if (!locked) return undefined;
      // Whoever deleted the folder deleted the file that we may have waited on: only the one that has the name counts.
      if (statSync(file, { throwIfNoEntry: false })?.ino === fstatSync(descriptor).ino) {
        return descriptor;
      }
      locked = false;
    } finally {
      if (!locked) closeSync(descriptor);
    }
  }
}

function flock(descriptor: number, file: string): boolean {
  const { status, error, signal, stderr } = spawnSync("flock", ["--exclusive", "--nonblock", "3"], {
    stdio: ["ignore", "ignore", "pipe", descriptor],
    encoding: "utf8",
  });
  if (status === 0) return true;
  if (status === 1 && stderr === "") return false;
  const missing = (error as NodeJS.ErrnoException | undefined)?.code === "ENOENT";
  throw new EmbeddedPostgresError(
    missing
      ? "the program flock, which locks the data folder, is missing; it comes with the package util-linux"
      : `${file} cannot be locked: ${(error?.message ?? (stderr || (signal ?? `flock ended with ${status}`))).trim()}`,
  );
}
