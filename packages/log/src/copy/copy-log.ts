import { failpoint } from "@heliograph/contracts";
import type { Position, RecordedEvent } from "../types.ts";
import { canonicalEvent } from "./canonical.ts";
import { PAGE_EVENTS, pagesOf } from "./read.ts";
import { type CopyProgress, CopyRefused, type CopySource, type CopyTarget } from "./types.ts";

export type CopyOptions = {
  readonly source: CopySource;
  readonly target: CopyTarget;
  readonly onProgress?: (progress: CopyProgress) => void;
  readonly signal: AbortSignal;
};

export type Copied = {
  /** Copied by this run. */
  readonly events: number;
  /** The end of the source that was reached; the target's head now. */
  readonly head: Position;
};

/**
 * Copies what the target lacks, up to the end that the source had at the start, with positions, revisions and times. It can be
 * stopped at any point, also by a power cut, and run again: it goes on after the last event that the target has.
 *
 * The target must be empty or hold the beginning of the source. Its last events are compared: two logs that went different ways
 * differ there. Throws CopyRefused when they do; damage further back is what `verifyCopy` finds.
 */
export async function copyLog(options: CopyOptions): Promise<Copied> {
  const { source, target, signal } = options;
  const head = await source.head();
  const reached = await resumeAt(source, target, head);
  let events = 0;
  for await (const page of pagesOf(source, { after: reached, head, signal })) {
    for (const event of page.events) refuseUnreadable(event);
    if (page.events.length > 0) await target.write(page.events);
    const paused = failpoint("copy.after_write");
    if (paused !== undefined) await paused;
    events += page.events.length;
    options.onProgress?.({ phase: "copy", events, position: page.position, head });
    signal.throwIfAborted();
  }
  await target.finish(head);
  return { events, head };
}

/** The position of the target's last event, after making sure that the source has the same ones there. */
async function resumeAt(source: CopySource, target: CopyTarget, head: Position): Promise<Position> {
  const tail = await target.tail(PAGE_EVENTS);
  const { end } = tail;
  const last = tail.events.at(-1);
  if (end > head) {
    throw new CopyRefused(
      `the target goes on to position ${end}, beyond the source's end ${head}: it is not a copy of it, or has been written to since`,
    );
  }
  if (last === undefined) {
    if (end > 0n && end !== head)
      throw new CopyRefused(`the target has no events but ends at position ${end}`);
    return 0n;
  }
  const expected = await readCount(source, tail.after, tail.events.length);
  for (const [index, event] of tail.events.entries()) {
    const original = expected[index];
    if (original !== undefined && canonicalEvent(event) === canonicalEvent(original)) continue;
    throw new CopyRefused(
      `the target is not a copy of the source: at position ${event.position} it has ${nameOf(event)}, the source ${original === undefined ? "nothing" : nameOf(original)}`,
    );
  }
  return last.position;
}

async function readCount(
  source: CopySource,
  after: Position,
  count: number,
): Promise<readonly RecordedEvent[]> {
  const found: RecordedEvent[] = [];
  let position = after;
  while (found.length < count) {
    const page = await source.readAll({ after: position, limit: count - found.length });
    found.push(...page.events);
    if (page.position >= page.head) break;
    position = page.position;
  }
  return found;
}

const nameOf = ({ position, type, id, stream, revision }: RecordedEvent): string =>
  `${type} ${id} (revision ${revision} of ${stream}, position ${position})`;

/** A reader shows a record it cannot read as version 0: copying that would make the damage look like data. */
function refuseUnreadable(event: RecordedEvent): void {
  if (event.version >= 1) return;
  throw new CopyRefused(
    `the source's event at position ${event.position} (revision ${event.revision} of ${event.stream}) cannot be read: ${String(event.metadata["unreadable"])}; repair it first`,
  );
}
