/**
 * Between the positions that the world sees and the places of the server's log. They are the same unless the namespace was copied in from
 * another log: then its events keep the positions they had, and later ones count on from there.
 */
export type Positions = {
  /** The position of a record that was not copied in. */
  ofCommit(commit: bigint): bigint;
  /** Where to go on in the server's log for everything after a position: events at or below it are still to be skipped. 0n: from the start. */
  commitBefore(position: bigint): bigint;
  /** Where the record with a position stands, or a place before it. 0n: from the start. */
  commitAt(position: bigint): bigint;
};

export const ownPositions: Positions = {
  ofCommit: (commit) => commit,
  commitBefore: (position) => position,
  commitAt: (position) => position,
};
