import type { WritePart } from "@heliograph/runtime";
import type { Desk, Entry, Turn } from "./desk.ts";

/** Appends in one row, of some KB each: bounds the row, and what one commit waits for. */
const MOST_APPENDS = 200;

/**
 * Hands an append over. For what a call came to its intent stands: a successor that does not find the outcome records the call as uncertain at the same revision before it acts on the message,
 * so the log takes one of the two. Of everything else that is decided a successor would not know. So it is announced first, and a successor makes the append that was announced before it acts
 * (`recover.ts`): whatever comes later of an owner that was replaced is a duplicate, or meets another revision.
 */
export function toLog({ desk, effects }: Turn, entry: Entry): void {
  if (entry.job.phase === "answered") return void effects.push({ type: "append", entry });
  desk.deciding.push(entry);
  desk.pressing = true;
}

/** Who stops decides nothing more. */
export const decides = ({ life, deciding }: Desk): boolean =>
  life === "open" && deciding.length > 0;

/** The row of those that the commit carries. */
export function announceAppends({ desk }: Turn, parts: WritePart[]): readonly Entry[] {
  if (!decides(desk)) return [];
  const entries = desk.deciding.splice(0, MOST_APPENDS);
  const { row, part } = desk.intents.announceAppends(
    new Map(entries.map(({ job, append }) => [job.messageId, append])),
  );
  parts.push(part);
  return entries.map((entry) => ({ ...entry, row }));
}

/** Announced while it stopped, they are not made, and the last commit takes the row away: nothing has happened to their messages. */
export function appendsAnnounced({ desk, effects }: Turn, entries: readonly Entry[]): void {
  for (const entry of entries)
    if (desk.life === "open") effects.push({ type: "append", entry });
    else announcementOver({ desk }, entry);
}

/** The append was made, or can never be. */
export function announcementOver({ desk }: Pick<Turn, "desk">, { row, job }: Entry): void {
  if (row !== undefined) desk.intents.recorded(row, job.messageId);
}
