/** Sends of a batch that are on their way into the log together. */
export const sliceLength = 200;
/** While others send too: preparing them holds the process for some milliseconds. */
export const sharedSliceLength = 25;
/** As many may wait as requests may (`FairStarts`). */
const waits = { waitingPerName: 1_000, waiting: 10_000 };
/** Of one who is alone: as much as a flush of the log takes; of a batch two slices, of which one is prepared while the other is written. Of those who share a slice, too. */
export const batchesAtOnce = { alone: 2 * sliceLength, shared: 2 * sharedSliceLength, ...waits };
/**
 * Few of those who share: what another sends then shares a flush with few of one who has many, and after a pause of the process it meets few of those that gathered. It keeps the log
 * busy all the same, for a flush takes what came during the one before.
 */
export const singlesAtOnce = { alone: 400, shared: 4, ...waits };
