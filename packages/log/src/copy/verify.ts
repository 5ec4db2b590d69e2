import { createHash } from "node:crypto";
import type { Position, RecordedEvent } from "../types.ts";
import { canonicalEvent } from "./canonical.ts";
import { pagesOf } from "./read.ts";
import type { CopyProgress, CopySource } from "./types.ts";

export type Verified = {
  readonly equal: boolean;
  readonly events: number;
  /** SHA-256 of each log's events up to the difference, or up to the head when there is none. */
  readonly sourceHash: string;
  readonly targetHash: string;
  /** The first place where they differ. */
  readonly difference?: { readonly position: Position; readonly what: string };
};

/**
 * Reads both logs once more from the start up to `head` and compares every event: position, stream, revision, id, type, version,
 * time, data and metadata. Stops at the first difference.
 */
export async function verifyCopy(options: {
  readonly source: CopySource;
  readonly target: CopySource;
  readonly head: Position;
  readonly onProgress?: (progress: CopyProgress) => void;
  readonly signal: AbortSignal;
}): Promise<Verified> {
  const { head, signal } = options;
  const sourceHash = createHash("sha256");
  const targetHash = createHash("sha256");
  const copies = eventsOf(options.target, head, signal);
  let events = 0;
  const verified = (difference?: Verified["difference"]): Verified => ({
    equal: difference === undefined,
    events,
    sourceHash: sourceHash.digest("hex"),
    targetHash: targetHash.digest("hex"),
    ...(difference === undefined ? {} : { difference }),
  });
  try {
    for await (const page of pagesOf(options.source, { after: 0n, head, signal })) {
      for (const original of page.events) {
        const { value: copy } = await copies.next();
        const line = canonicalEvent(original);
        sourceHash.update(`${line}\n`);
        if (copy === undefined)
          return verified({ position: original.position, what: "the target lacks this event" });
        const copied = canonicalEvent(copy);
        targetHash.update(`${copied}\n`);
        if (copied !== line) return verified(differenceOf(original, copy));
        events++;
      }
      options.onProgress?.({ phase: "verify", events, position: page.position, head });
    }
    const { value: extra } = await copies.next();
    if (extra === undefined) return verified();
    return verified({ position: extra.position, what: "the source lacks this event" });
  } finally {
    await copies.return(undefined);
  }
}

async function* eventsOf(
  log: CopySource,
  head: Position,
  signal: AbortSignal,
): AsyncGenerator<RecordedEvent, undefined> {
  for await (const page of pagesOf(log, { after: 0n, head, signal })) yield* page.events;
}

function differenceOf(original: RecordedEvent, copy: RecordedEvent): Verified["difference"] {
  if (copy.position > original.position)
    return { position: original.position, what: "the target lacks this event" };
  if (copy.position < original.position)
    return { position: copy.position, what: "the source lacks this event" };
  const fields = ["stream", "revision", "id", "type", "version", "recordedAt"] as const;
  const differing = fields.filter((field) => original[field] !== copy[field]);
  const { position } = original;
  if (differing.length > 0) return { position, what: `${differing.join(", ")} differ` };
  return { position, what: "data or metadata differ" };
}
