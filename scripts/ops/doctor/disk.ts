import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { databaseBytes } from "@heliograph/runtime";
import { count, type Finding, type OpenPlace, type Place, type Status } from "./check.ts";

const gibibyte = 2 ** 30;
/** PostgreSQL stops where the disk is full, and needs room to recover: its WAL takes up to 2 GB. */
const fewest = { failedBytes: 2 * gibibyte, warningBytes: 10 * gibibyte, warningShare: 0.1 };

/** How much room is left where a folder is; of one that is not there yet, where it would be made. */
export async function roomAt(folder: string): Promise<{ free: number; total: number }> {
  for (let path = folder; ; path = dirname(path)) {
    try {
      const { bavail, blocks, bsize } = await statfs(path);
      return { free: bavail * bsize, total: blocks * bsize };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || dirname(path) === path) throw error;
    }
  }
}

export function statusOfRoom({ free, total }: { free: number; total: number }): Status {
  if (free < fewest.failedBytes) return "failed";
  return free < fewest.warningBytes && free < total * fewest.warningShare ? "warning" : "ok";
}

export const roomText = ({ free, total }: { free: number; total: number }): string => {
  const gib = (bytes: number): string => `${(bytes / gibibyte).toFixed(1)} GiB`;
  return `${gib(free)} free of ${gib(total)}`;
};

export async function lookAtDisk({ settings }: Place): Promise<Finding> {
  const room = await roomAt(settings.dataDir);
  return {
    status: statusOfRoom(room),
    summary: `${roomText(room)} for the data folder ${settings.dataDir}`,
  };
}

/** What the three databases take. How much room is left there only their machine knows, where that is another one. */
export async function lookAtDatabases({ pool, settings }: OpenPlace): Promise<Finding> {
  const names = ["live", "sandbox", "platform"] as const;
  const sizes = await Promise.all(names.map((name) => databaseBytes(pool(name))));
  const mebibytes = sizes.map((bytes) => bytes / 2 ** 20);
  const each = names.map((name, index) => `${name} ${count(mebibytes[index]!)} MiB`).join(", ");
  const elsewhere = settings.databaseUrl !== undefined;
  return {
    status: "ok",
    summary: `databases: ${each}${elsewhere ? "; room on their machine is not seen from here" : ""}`,
  };
}
