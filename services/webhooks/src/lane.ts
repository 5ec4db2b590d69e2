import { openSecret } from "@heliograph/contracts";
import type { Endpoint } from "@heliograph/domain";
import type { Carrier } from "./connections.ts";
import { dialTarget, type DialTarget } from "@heliograph/api";
import { headersOf } from "./headers.ts";
import { together, type Batch, type Gathering, type Job } from "./job.ts";
import { coolingMs, failuresBeforeCooling } from "./schedule.ts";
import { requestHead, signingKey, type SigningKey } from "./sign.ts";

/**
 * Everything about sending to one endpoint: its queue, its connections, and how much it is trusted. Nothing of it is shared with another
 * endpoint, so one that is slow or dead only fills its own queue.
 *
 * Trust: an endpoint starts with `firstLimit` requests at once, gets one more with each success while it uses all of them, and half with each failure. After
 * three failures in a row it cools: nothing is sent for 5 s, doubling up to a minute, then one request probes it. A success ends all that.
 */
const firstLimit = 4;
export const largestLimit = 32;
/** Deliveries of new events that wait in memory; more go to the table and come back from there. */
const maxFresh = 1_000;
/** The same of an endpoint that takes batches, those in the air among them. */
const maxBatched = 2_000;
/** An endpoint that must wait for longer than this does not keep its deliveries in memory. */
export const longWaitMs = 1_000;
/** Deliveries asked for by hand that wait in memory; a program that asks for more of them uses replays. */
export const maxUrgent = 100;
/** A rate limit lets a tenth of a second's requests go at once, one at least. */
const burst = 0.1;
/** Deliveries taken from the table at once. */
const maxStored = 256;
const maxStoredOfBatches = 1_000;
/** More due deliveries are read when an endpoint has no more than this of them left in memory. */
export const refillBelow = 64;

export type Lane = {
  readonly id: string;
  endpoint: Endpoint;
  target: Target;
  connections: Carrier | undefined;
  /** What its owner asked for by hand, one by one: it goes first and does not wait for the endpoint's pause to end. */
  readonly urgent: Job[];
  /** Due deliveries from the table, older than anything in `fresh`, so they go first. */
  readonly stored: Job[];
  readonly fresh: Job[];
  active: number;
  limit: number;
  /** Failures in a row; those of attempts that began before the last one count once. */
  failures: number;
  failedAt: number;
  /** Its last answer was late, or one that is due is. */
  isSlow: boolean;
  /** Nothing is sent before (epoch ms): cooling, or the receiver asked for it. */
  waitUntil: number;
  /** Token bucket for `rate_limit`: what may be sent at once at `tokensAt`. */
  tokens: number;
  tokensAt: number;
  /** When the table has something due (epoch ms); Infinity when it has nothing. */
  nextDue: number;
  /** Ids in memory that also have a row. */
  readonly rowsInMemory: Set<string>;
  usedAt: number;
  /** Of an ordered endpoint, by subject: the delivery that is under way from memory, and what waits behind it there. */
  readonly chains: Map<string, Job[]>;
  /** Of an ordered endpoint: whether the table may have something pending, so that what comes has to go there too. */
  behind: boolean;
  /** How often something was put on record as pending. */
  parks: number;
  /** Of an endpoint that takes batches: those that are not full yet, by what they have in common. */
  readonly gathering: Map<string, Gathering>;
  /** And those that are full, and sent once the table has them. */
  readonly sealing: Set<Batch>;
  /** What was asked for again while it was on its way already. */
  readonly again: Map<string, Job>;
};

/** What a request needs of the endpoint's settings; `problem` when they cannot be used. */
export type Target = {
  readonly dial: DialTarget;
  /** Request line and the headers that are the same for every request. */
  readonly head: string;
  readonly keys: readonly SigningKey[];
  /** The header that a timestamped signature goes in. */
  readonly timestampedIn: string | undefined;
  readonly problem: string | undefined;
};

export function targetOf(endpoint: Endpoint, masterKey: Buffer): Target {
  const nowhere = {
    dial: { host: "", port: 0, secure: false },
    head: "",
    keys: [],
    timestampedIn: undefined,
  };
  try {
    const url = new URL(endpoint.url);
    if (url.protocol !== "http:" && url.protocol !== "https:")
      return { ...nowhere, problem: `${url.protocol} is neither http: nor https:` };
    const keys = endpoint.secrets.map((secret) =>
      signingKey(
        openSecret(masterKey, secret.sealed),
        secret.expires_at === null ? Infinity : Date.parse(secret.expires_at),
        endpoint,
        masterKey,
      ),
    );
    return {
      dial: { ...dialTarget(url), http2: endpoint.http2 === true },
      head: requestHead(url, headersOf(endpoint, masterKey)),
      keys,
      timestampedIn: endpoint.timestamped_signature_header?.toLowerCase(),
      problem: undefined,
    };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { ...nowhere, problem: `the endpoint's settings cannot be used: ${text}` };
  }
}

export const newLane = (endpoint: Endpoint, masterKey: Buffer, now: number): Lane => ({
  id: endpoint.id,
  endpoint,
  target: targetOf(endpoint, masterKey),
  connections: undefined,
  urgent: [],
  stored: [],
  fresh: [],
  active: 0,
  limit: firstLimit,
  failures: 0,
  failedAt: 0,
  isSlow: false,
  waitUntil: 0,
  tokens: 1,
  tokensAt: now,
  nextDue: Infinity,
  rowsInMemory: new Set(),
  usedAt: now,
  chains: new Map(),
  behind: false,
  parks: 0,
  gathering: new Map(),
  sealing: new Set(),
  again: new Map(),
});

/** The clock was set back: what is waited for comes no later for that. */
export function setBack(lane: Lane, byMs: number): void {
  lane.waitUntil -= byMs;
  lane.failedAt -= byMs;
  lane.tokensAt -= byMs;
  lane.usedAt -= byMs;
  lane.nextDue -= byMs;
}

export const isOpen = (lane: Lane): boolean => lane.endpoint.status === "enabled";
export const isHealthy = (lane: Lane): boolean => lane.failures < failuresBeforeCooling;
export const isEmpty = ({ urgent, stored, fresh }: Lane): boolean =>
  urgent.length === 0 && stored.length === 0 && fresh.length === 0;
export const isIdle = (lane: Lane): boolean =>
  lane.active === 0 && isEmpty(lane) && lane.gathering.size === 0 && lane.sealing.size === 0;
/** Whether what comes has to wait in the table. */
export const isFull = (lane: Lane): boolean =>
  lane.endpoint.batch === undefined
    ? lane.fresh.length >= maxFresh
    : lane.rowsInMemory.size >= maxBatched;
export const nextJob = ({ urgent, stored, fresh }: Lane): Job =>
  (urgent.shift() ?? stored.shift() ?? fresh.shift())!;

/** An attempt ended: what was meanwhile asked for again of its deliveries, with a schedule that starts anew. */
export function askedAgain(lane: Lane, job: Job): readonly Job[] {
  if (lane.again.size === 0) return [];
  return together(job).flatMap(({ id, attempts }) => {
    const asked = lane.again.get(id);
    lane.again.delete(id);
    return asked === undefined ? [] : [{ ...asked, attempts, slot: undefined }];
  });
}

/** Another URL is another receiver: what was learnt of the one before says nothing about it. */
export function trustAnew(lane: Lane): void {
  lane.limit = firstLimit;
  lane.failures = 0;
  lane.failedAt = 0;
  lane.isSlow = false;
  lane.waitUntil = 0;
}

/** One request probes a failing endpoint and may take its whole deadline: whatever else comes meanwhile waits in the table, not in memory. */
const isBehindProbe = (lane: Lane): boolean => !isHealthy(lane) && !isIdle(lane);

/** What is not sent for long waits in the table. */
export const waitsLong = (lane: Lane, now: number): boolean =>
  lane.waitUntil > now + longWaitMs || isBehindProbe(lane);

/** How many due deliveries are read from the table at once, `more` at most; those that are in memory already come first there. */
export const roomFor = (lane: Lane, more: number): number => {
  const most = lane.endpoint.batch === undefined ? maxStored : maxStoredOfBatches;
  return (isHealthy(lane) ? Math.min(most, more) : 1) + lane.rowsInMemory.size + 1;
};

/** Whether deliveries that are due may be read from the table. */
export function wantsMore(lane: Lane, now: number): boolean {
  if (lane.nextDue > now || lane.waitUntil > now || !isOpen(lane)) return false;
  if (lane.endpoint.batch === undefined)
    return lane.stored.length <= (isHealthy(lane) ? refillBelow : 0);
  return isHealthy(lane) ? lane.rowsInMemory.size <= maxStoredOfBatches : isIdle(lane);
}

/** Most requests at once: one for a failing endpoint, else as many as it is trusted with and its owner allows. */
const mostAtOnce = (lane: Lane): number =>
  isHealthy(lane) ? Math.min(lane.limit, lane.endpoint.concurrency_limit ?? largestLimit) : 1;

/** Whether the lane may send one more now; `time` means that only time can change the answer. */
export function gate(lane: Lane, now: number): "open" | "busy" | "time" {
  if (now < lane.waitUntil && lane.urgent.length === 0) return "time";
  if (lane.active >= mostAtOnce(lane)) return "busy";
  const rate = lane.endpoint.rate_limit;
  if (rate === null) return "open";
  lane.tokens = Math.min(
    Math.max(1, rate * burst),
    lane.tokens + (Math.max(0, now - lane.tokensAt) * rate) / 1000,
  );
  lane.tokensAt = now;
  return lane.tokens >= 1 ? "open" : "time";
}

export function succeeded(lane: Lane): void {
  if (lane.active >= lane.limit - 1) lane.limit = Math.min(largestLimit, lane.limit + 1);
  lane.failures = 0;
}

/** `startedAt` is when the failed attempt began: a burst that fails together is one failure. */
export function failed(
  lane: Lane,
  startedAt: number,
  now: number,
  random: number,
  scale: number,
): void {
  lane.limit = Math.max(1, lane.limit >> 1);
  if (startedAt < lane.failedAt) return;
  lane.failures++;
  lane.failedAt = now;
  lane.waitUntil = Math.max(lane.waitUntil, now + coolingMs(lane.failures, random, scale));
}
