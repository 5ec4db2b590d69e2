import { followUp, pause, sendsUnderWay } from "@heliograph/runtime";
import type { Job } from "../tables/fan-out.ts";

export type Round = {
  readonly turns: readonly Job[];
  /** After how long somebody may have a turn who has none in this round. */
  readonly waitMs: number;
};

/** Whose turn it is: of each partner the one that has been waiting longest. `dueInMs` is negative for one that may have had its turn before. */
export function roundOf(jobs: readonly Job[], dueInMs: (job: Job) => number): Round {
  const turns = new Map<string, { readonly job: Job; readonly inMs: number }>();
  let waitMs = Number.POSITIVE_INFINITY;
  for (const job of jobs) {
    const inMs = dueInMs(job);
    const other = turns.get(job.partner);
    if (inMs <= 0 && (other === undefined || inMs < other.inMs))
      turns.set(job.partner, { job, inMs });
    if (inMs > 0 || other !== undefined) waitMs = Math.min(waitMs, Math.max(inMs, 0));
  }
  return { turns: [...turns.values()].map(({ job }) => job), waitMs };
}

/** Accepted between two looks at what is asked: so soon a pause or a cancel takes effect, and so much a crash makes be done again. */
const pageLength = 100;
/** The same where others send too: a page then takes its time. */
const pageBesideOthers = 20;
/** Messages of one broadcast that are accepted and neither sent nor ended: what waits in front of a gateway is no more than that, however large the audience. */
const mostInFlight = 1_000;
/** A paced broadcast sends so often in a second, at most. */
const pagesPerSecond = 4;

/** How many a broadcast sends to at most in its next turn; none while enough of it is under way. */
export function nextPageOf(
  { accepted, sent, failed }: Job,
  perSecond: number | undefined,
  othersSend: boolean,
): number {
  const room = mostInFlight - (accepted - sent - failed);
  const paced = perSecond === undefined ? pageLength : Math.ceil(perSecond / pagesPerSecond);
  return Math.max(0, Math.min(othersSend ? pageBesideOthers : pageLength, room, paced));
}

/** From the begin of a turn in which so many were accepted until the next one may begin, ms. */
export const afterPageMs = (accepted: number, perSecond: number | undefined): number =>
  perSecond === undefined ? 0 : (accepted * 1_000) / perSecond;

/** The most that a rest is drawn out by while a send is under way, in times of what was rested for. */
const gapOfRest = 2;
/** The same while the consumers have much to do of what was sent. */
const followUpOfRest = 4;

/**
 * Does something and rests as long as it took, so that others have the process in between, however many have something to be done, and until what people send by themselves is under way no more. What takes
 * long rests in the middle of it too.
 */
export async function withRest<T>(
  work: (rest: () => Promise<void>) => Promise<T>,
  signal: AbortSignal,
  othersSend: () => boolean = () => false,
): Promise<T> {
  let since = performance.now();
  const rest = async (): Promise<void> => {
    const tookMs = performance.now() - since;
    if (tookMs >= 1) {
      await pause(tookMs, signal);
      if (!signal.aborted && othersSend()) await followUp.done(tookMs * followUpOfRest);
      if (!signal.aborted) await sendsUnderWay.gap(tookMs * gapOfRest);
    }
    since = performance.now();
  };
  const done = await work(rest);
  await rest();
  return done;
}
