import { readEventFlaw } from "@heliograph/contracts";
import { verifyPostgresTail } from "@heliograph/log";
import { databaseConfig } from "@heliograph/runtime";
import { count, together, type Finding, type OpenPlace } from "./check.ts";

/** A third of a second of reading for each log. */
const newest = 10_000;
const namespaces = ["platform", "live", "sandbox"] as const;

/** The newest events of each log against their hash chain. `verify-log` reads all of them. */
export async function lookAtLog(
  place: Pick<OpenPlace, "settings" | "server">,
  signal: AbortSignal,
): Promise<Finding> {
  if (place.settings.log === "eventstoredb")
    return { status: "skipped", summary: "EventStoreDB keeps no chain of hashes" };
  const parts = [];
  let read = 0;
  for (const namespace of namespaces) {
    const connection = databaseConfig(place.server, namespace);
    const { archiveDir } = place.settings;
    const options = { flawOf: readEventFlaw, signal, archiveDir };
    const { events, flaw } = await verifyPostgresTail(connection, newest, options);
    read += events;
    if (flaw !== undefined)
      parts.push({
        status: "failed" as const,
        text: `${namespace}: position ${flaw.position}: ${flaw.what}`,
      });
  }
  const summary = `the newest ${count(read)} events read against the hash chain`;
  return parts.length === 0 ? { status: "ok", summary } : together(summary, parts);
}
