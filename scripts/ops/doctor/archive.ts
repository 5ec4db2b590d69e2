import { lookAtArchives } from "@heliograph/log";
import { count, together, type Finding, type OpenPlace } from "./check.ts";

const namespaces = ["live", "sandbox"] as const;

/** Whether the files of archived events are there. What is in them `verify-log` reads. */
export async function lookAtArchive(
  { settings, pool }: OpenPlace,
  signal: AbortSignal,
): Promise<Finding> {
  if (settings.log === "eventstoredb")
    return { status: "skipped", summary: "EventStoreDB keeps its log itself" };
  const parts = [];
  let [files, bytes] = [0, 0];
  for (const namespace of namespaces) {
    const found = await lookAtArchives(pool(namespace), settings.archiveDir, signal);
    files += found.files;
    bytes += found.bytes;
    for (const flaw of found.flaws)
      parts.push({ status: "failed" as const, text: `${namespace}: ${flaw}` });
  }
  if (files === 0) return { status: "ok", summary: "no event is archived" };
  const summary = `${count(files)} files of archived events, ${count(bytes / 1_000_000)} MB, in ${settings.archiveDir}`;
  return parts.length === 0 ? { status: "ok", summary } : together(summary, parts);
}
