import { StreamDeletedError } from "@eventstore/db-client";
import { CopyRefused } from "../copy/types.ts";
import type { Calls } from "./calls.ts";
import { commitOf, dataOf, typeOf } from "./codec.ts";
import { unavailable } from "./connection.ts";
import { ownPositions, type Positions } from "./positions.ts";
import { readStreamRequest } from "./requests.ts";

/** Outside of the namespace's prefix, so that nobody reads it as one of its streams. */
export const indexStream = (namespace: string): string => `${namespace}:positions`;

/**
 * What a copy wrote down about itself. Where the entry stands in the server's log (`commit`) is what it says it about:
 * - `began`: up to `position` everything stood here before; copied events, which keep their positions, follow;
 * - `reached`: every copied event up to `position` stands before this, every later one after it;
 * - `ended`: what follows is appended by services and gets the positions `position` + its commit.
 */
export type Mark = {
  readonly kind: "began" | "reached" | "ended";
  readonly position: bigint;
  readonly commit: bigint;
};

export const markTypes = {
  began: "CopyBegan",
  reached: "CopyReached",
  ended: "CopyEnded",
} as const satisfies Record<Mark["kind"], string>;

/** An index of a hundred million copied events has 100,000 marks: read in seconds. */
const readTimeoutMs = 60_000;
const marksAtMost = 1_000_000_000;

/** Reads a namespace's marks from the `from`th on, in order. None: it was never copied in. Throws LogUnavailable. */
export async function readMarks(
  calls: Calls,
  namespace: string,
  from = 0,
): Promise<readonly Mark[]> {
  const marks: Mark[] = [];
  const stream = indexStream(namespace);
  const request = readStreamRequest({ stream, from, records: marksAtMost, backwards: false });
  try {
    await calls.read(
      request,
      (answer) => {
        const record = answer.getEvent()?.getEvent();
        if (record === undefined) return true;
        const type = typeOf(record);
        const kind = (Object.keys(markTypes) as Mark["kind"][]).find(
          (one) => markTypes[one] === type,
        );
        if (kind === undefined) throw new Error(`${stream} holds a ${type}, which no copy writes`);
        const { position = 0 } = dataOf(record) as { readonly position?: string };
        marks.push({ kind, position: BigInt(position), commit: commitOf(record) });
        return true;
      },
      { timeoutMs: readTimeoutMs },
    );
    return marks;
  } catch (error) {
    if (error instanceof StreamDeletedError) return [];
    throw unavailable(error);
  }
}

/** The positions of a namespace for services. Throws CopyRefused when a copy into it has not ended, and LogUnavailable. */
export async function readPositions(calls: Calls, namespace: string): Promise<Positions> {
  const marks = await readMarks(calls, namespace);
  const last = marks.at(-1);
  // What services append now would stand in the middle of what is copied.
  if (last !== undefined && last.kind !== "ended")
    throw new CopyRefused(
      `the copy of ${namespace} into EventStoreDB has not ended: run copy-log again`,
    );
  return positionsOf(marks);
}

/**
 * Translates by marks. A record without a position of its own (another namespace's) gets the lower bound of its place where events were copied
 * in: readers move forward, so a bound that is too high would hide events from them.
 */
export function positionsOf(marks: readonly Mark[]): Positions {
  if (marks.length === 0) return ownPositions;
  const counted = (base: bigint, commit: bigint, next: Mark | undefined): bigint => {
    const position = base + commit;
    return next !== undefined && next.position < position ? next.position : position;
  };
  const commitOfPosition = (index: number, position: bigint): bigint => {
    const mark = marks[index];
    if (mark === undefined) return position;
    if (mark.kind !== "ended") return mark.commit;
    const commit = position - mark.position;
    return commit > mark.commit ? commit : mark.commit;
  };
  return {
    ofCommit(commit) {
      const index = lastAt(marks, (mark) => mark.commit <= commit);
      const mark = marks[index];
      // Before the first copy positions were commits.
      if (mark === undefined) return counted(0n, commit, marks[0]);
      return mark.kind === "ended"
        ? counted(mark.position, commit, marks[index + 1])
        : mark.position;
    },
    commitBefore: (position) =>
      commitOfPosition(
        lastAt(marks, (one) => one.position <= position),
        position,
      ),
    // An event that a mark names stands before it.
    commitAt: (position) =>
      commitOfPosition(
        lastAt(marks, (one) => one.position < position),
        position,
      ),
  };
}

/** Index of the last mark that fits; they are in order of commits and of positions. -1 when none does. */
function lastAt(marks: readonly Mark[], fits: (mark: Mark) => boolean): number {
  let low = 0;
  let high = marks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (fits(marks[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
