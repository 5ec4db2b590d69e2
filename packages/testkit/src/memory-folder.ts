import { accessSync, constants, statfsSync } from "node:fs";
import { tmpdir } from "node:os";

/** What the clusters of a run, its own and those of instances, take at most, with room to spare. */
const neededBytes = 3 * 1024 ** 3;

/** A folder in memory where the system has one that is large enough, else the one for temporary files. Nothing of a test run has to survive it, and creating a database is some three hundred files. */
export function memoryFolder(folder = "/dev/shm"): string {
  try {
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= neededBytes ? folder : tmpdir();
  } catch {
    return tmpdir();
  }
}
