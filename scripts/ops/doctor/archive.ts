import { access, constants } from "node:fs/promises";
import { lookAtArchives } from "@heliograph/log";
import { messageOf } from "@heliograph/runtime";
import { count, together, type Finding, type OpenPlace, type Status } from "./check.ts";
import { roomAt, roomText, statusOfRoom } from "./disk.ts";

const namespaces = ["live", "sandbox"] as const;

type Part = { readonly status: Status; readonly text: string };

/** Whether the files of archived events are there, and how much room is left for more. What is in them `verify-log` reads. */
export async function lookAtArchive(
  { settings, pool }: OpenPlace,
  signal: AbortSignal,
): Promise<Finding> {
  if (settings.log === "eventstoredb")
    return { status: "skipped", summary: "EventStoreDB keeps its log itself" };
  const parts: Part[] = [];
  let [files, bytes] = [0, 0];
  for (const namespace of namespaces) {
    const found = await lookAtArchives(pool(namespace), settings.archiveDir, signal);
    files += found.files;
    bytes += found.bytes;
    for (const flaw of found.flaws) parts.push({ status: "failed", text: `${namespace}: ${flaw}` });
  }
  if (files === 0) return { status: "ok", summary: "no event is archived" };
  const summary = `${count(files)} files of archived events, ${count(bytes / 1_000_000)} MB, in ${settings.archiveDir}`;
  return together(summary, [await folderPart(settings.archiveDir), ...parts]);
}

async function folderPart(folder: string): Promise<Part> {
  try {
    await access(folder, constants.R_OK | constants.X_OK);
    const room = await roomAt(folder);
    return { status: statusOfRoom(room), text: `${roomText(room)} there` };
  } catch (error) {
    return { status: "failed", text: `the folder cannot be read: ${messageOf(error)}` };
  }
}
