import { readFileSync } from "node:fs";

/** More than one process can serve well; beyond it a load balancer has to send clients elsewhere. */
const maxConnections = 10_000;
/** Of the databases' pools, files and listening sockets of a process that runs every service. */
const ownDescriptors = 64;
/** So many are served however tight the limit is: below it nothing works anyway. */
const minConnections = 16;

/** How many descriptors this process may have open (Node has raised the soft limit to the hard one); undefined where the system does not say. */
export function descriptorLimit(): number | undefined {
  let text: string;
  try {
    text = readFileSync("/proc/self/limits", "utf8");
  } catch {
    const report = process.report.getReport() as {
      userLimits?: { open_files?: { soft: number | string } };
    };
    text = `Max open files ${report.userLimits?.open_files?.soft ?? ""}`;
  }
  const soft = /^Max open files\s+(\d+)/m.exec(text)?.[1];
  return soft === undefined ? undefined : Number(soft);
}

/** Connections to take at most: half of what the process may open, so that the other half is there for databases, providers and receivers. */
export const connectionLimit = (descriptors: number | undefined): number =>
  descriptors === undefined
    ? maxConnections
    : Math.max(
        minConnections,
        Math.min(maxConnections, Math.floor((descriptors - ownDescriptors) / 2)),
      );
