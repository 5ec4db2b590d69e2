import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { memoryFolder } from "../memory-folder.ts";

const parent = memoryFolder();
const folderPrefix = join(parent, "heliograph-kafka-");

/** A folder for a broker of this process. Those of processes that were killed are removed: their brokers ended with them. */
export function newFolder(): string {
  for (const name of readdirSync(parent)) {
    const folder = join(parent, name);
    if (!folder.startsWith(folderPrefix)) continue;
    try {
      const owner = Number(readFileSync(join(folder, "owner"), "utf8"));
      if (owner > 0 && !existsProcess(owner)) rmSync(folder, { recursive: true, force: true });
    } catch {
      // Being made, or being removed by another run.
    }
  }
  const folder = mkdtempSync(folderPrefix);
  writeFileSync(join(folder, "owner"), String(process.pid));
  return folder;
}

function existsProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
