import { type Choice, choose } from "./choose.ts";
import type { Connection, Connections } from "./connections.ts";
import { Fifo } from "./fifo.ts";
import { type Job, routedOf } from "./job.ts";

/** Calls admitted for one recipient at a time: grows with each quick call, and is one after a slow call, which would hold the others up. */
const FIRST_DEPTH = 32;
const LARGEST_DEPTH = 512;
const QUICK_MS = 20;
/** Every eighth admission goes to the lowest priority that waits, so that a flood of urgent messages starves nobody. */
const LOW_TURN = 8;
const PRIORITIES = 4;
/** So many lanes that wait for gateways of their own are passed over in one admission; who comes behind them has its turn in a later one. */
const LOOKED_OVER = 64;

/**
 * Everything for one recipient: at most one call is in flight, in the order of arrival within a priority. A job goes through a lane like this:
 *
 *   add ──▶ waiting ──admit──▶ announced ──run──▶ ready ──drive──▶ called ──▶ its outcome is the dispatcher's
 *              │                (an intent        │
 *              │                 is written)      └── withdraw, when the dispatcher ends: a row again
 *              └── spill, after a second: a row again
 *
 * A lane with room (`open` below `depth`) and something waiting stands once in its channel's lists, under the priority of its first job (`listed`); `admit` takes lanes
 * from there in turns. `depth` bounds what a slow recipient can have announced: it grows with each quick call and is one after a slow one. A lane that drives
 * (`running`) takes a place of its gateway (`active`); when there is none it waits in the gateway's `blocked`. It is forgotten when nothing is left in it.
 */
type Lane = {
  readonly key: string;
  readonly channel: string;
  readonly waiting: Fifo<Job>;
  /** Admitted and announced by a durable intent. */
  readonly ready: Fifo<Job>;
  /** Admitted and not yet called. */
  open: number;
  depth: number;
  running: boolean;
  /** Highest priority under which it is in the channel's lists; -1 when in none. */
  listed: number;
  lastMs: number;
};

export type Lanes = {
  /** The job waits its turn. */
  add(job: Job): void;
  /** Takes up to `limit` jobs for which there is room now, the highest priority first, and gives each its gateway. */
  admit(limit: number): Job[];
  /** Calls the provider for admitted jobs, one recipient's after another, different recipients' at once. */
  run(jobs: readonly Job[]): void;
  /** Takes out jobs that have waited since before `since`, each with an estimate of how long it would have to wait on, in ms. */
  spill(since: number): readonly { readonly job: Job; readonly forMs: number }[];
  /** Takes out what is admitted and not yet called. */
  withdraw(): Job[];
  /** When something that waits may have room again; undefined when only a finished call can make it. */
  nextAt(): number | undefined;
  readonly waiting: number;
};

type Options = {
  readonly connections: Connections;
  readonly now: () => number;
  readonly random: () => number;
  /** Makes the call and hands on its outcome; never throws; gives how long it took, in ms. */
  readonly call: (job: Job) => Promise<number>;
  readonly broken: (error: unknown) => void;
  /** The job's validity ended, or its channel has no gateway. */
  readonly unfit: (job: Job, why: "expired" | "no_gateway") => void;
};

const isFree = ({ unhealthy, full }: Connection): boolean => unhealthy === undefined && !full;

const newLane = (job: Job): Lane => ({
  key: job.lane,
  channel: job.state.request.channel,
  waiting: new Fifo(),
  ready: new Fifo(),
  open: 0,
  depth: FIRST_DEPTH,
  running: false,
  listed: -1,
  lastMs: 0,
});

/** The gateway has a place less, and the job knows it. */
function give(job: Job, { candidate, choice }: Chosen, at: number): void {
  candidate.open++;
  candidate.bucket.take();
  job.ticket = candidate.breaker.begin(at);
  job.connection = candidate;
  job.choice = choice;
}
type Chosen = Extract<Choice<Connection>, { type: "chosen" }>;

export function createLanes({ connections, now, random, call, broken, unfit }: Options): Lanes {
  const lanes = new Map<string, Lane>();
  const channels = new Map<string, Fifo<Lane>[]>();
  let waiting = 0;
  let turn = 0;

  function laneOf(job: Job): Lane {
    const known = lanes.get(job.lane);
    if (known !== undefined) return known;
    const lane = newLane(job);
    lanes.set(job.lane, lane);
    return lane;
  }

  function list(lane: Lane): void {
    const priority = lane.waiting.peek()?.state.request.priority ?? -1;
    if (lane.open >= lane.depth || priority <= lane.listed) return;
    let lists = channels.get(lane.channel);
    if (lists === undefined)
      channels.set(
        lane.channel,
        (lists = Array.from({ length: PRIORITIES }, () => new Fifo<Lane>())),
      );
    lists[priority]!.push(lane);
    lane.listed = priority;
  }

  function nextList(lists: readonly Fifo<Lane>[]): Fifo<Lane> | undefined {
    if (turn++ % LOW_TURN === LOW_TURN - 1) return lists.find(({ size }) => size > 0);
    for (let priority = PRIORITIES - 1; priority >= 0; priority--)
      if (lists[priority]!.size > 0) return lists[priority];
    return undefined;
  }

  function admitFrom(
    channel: string,
    lists: readonly Fifo<Lane>[],
    limit: number,
    admitted: Job[],
  ): void {
    const ofChannel = connections.forChannel(channel);
    /** Lanes whose next message waits for gateways that others need not wait for: looked over and listed again. */
    const aside: Lane[] = [];
    while (admitted.length < limit) {
      const lanesOfPriority = nextList(lists);
      const lane = lanesOfPriority?.peek();
      if (lanesOfPriority === undefined || lane === undefined) break;
      const job = lane.waiting.peek();
      let waits = false;
      if (job !== undefined && lane.open < lane.depth) {
        const expired = job.isExpired();
        const route = connections.routeOf(routedOf(job));
        const choice = expired ? undefined : choose(route, job.state.failed, random());
        waits = choice?.type === "wait";
        // No gateway of the channel can take anything now, or enough lanes have been looked at.
        if (waits && (!ofChannel.some(isFree) || aside.length === LOOKED_OVER)) break;
        if (!waits) {
          lane.waiting.shift();
          waiting--;
        }
        if (choice?.type === "chosen") {
          give(job, choice, now());
          lane.open++;
          admitted.push(job);
        } else if (!waits) unfit(job, expired ? "expired" : "no_gateway");
      }
      lanesOfPriority.shift();
      lane.listed = -1;
      if (waits) aside.push(lane);
      else {
        list(lane);
        discard(lane);
      }
    }
    for (const lane of aside) list(lane);
  }

  /** How long until a channel without one healthy gateway may have one again. */
  function unhealthyForMs(channel: string): number {
    const candidates = connections.forChannel(channel);
    if (candidates.some(({ unhealthy }) => unhealthy === undefined)) return 0;
    const times = candidates.flatMap((connection) => connection.nextAt() ?? []);
    return times.length === 0 ? 0 : Math.min(...times) - now();
  }

  function discard(lane: Lane): void {
    if (!lane.running && lane.open === 0 && lane.waiting.size === 0) lanes.delete(lane.key);
  }

  function start(lane: Lane): void {
    const connection = lane.ready.peek()?.connection;
    lane.running = connection !== undefined;
    if (connection === undefined) return; // Withdrawn while it was blocked.
    if (connection.active >= connection.config.max_concurrent) {
      connection.blocked.push(() => start(lane));
      return;
    }
    connection.active++;
    drive(lane)
      .catch(broken)
      .finally(() => {
        connection.active--;
        // One that was withdrawn meanwhile takes no place: the next has its turn.
        while (connection.active < connection.config.max_concurrent && connection.blocked.size > 0)
          connection.blocked.shift()!();
      });
  }

  async function drive(lane: Lane): Promise<void> {
    for (let job = lane.ready.shift(); job !== undefined; job = lane.ready.shift()) {
      const durationMs = await call(job);
      lane.lastMs = durationMs;
      lane.depth = durationMs <= QUICK_MS ? Math.min(LARGEST_DEPTH, lane.depth + 1) : 1;
      lane.open--;
      list(lane);
    }
    lane.running = false;
    discard(lane);
  }

  return {
    add(job) {
      const lane = laneOf(job);
      const { priority } = job.state.request;
      lane.waiting.insert(job, (other) => other.state.request.priority < priority);
      waiting++;
      list(lane);
    },
    admit(limit) {
      const admitted: Job[] = [];
      for (const [channel, lists] of channels) admitFrom(channel, lists, limit, admitted);
      return admitted;
    },
    run(jobs) {
      for (const job of jobs) {
        const lane = laneOf(job);
        lane.ready.push(job);
        if (!lane.running) start(lane);
      }
    },
    spill(since) {
      const spilled: { job: Job; forMs: number }[] = [];
      if (waiting === 0) return spilled;
      for (const lane of lanes.values()) {
        for (
          let ahead = 1;
          (lane.waiting.peek()?.since ?? Number.POSITIVE_INFINITY) < since;
          ahead++
        ) {
          waiting--;
          const perSecond = connections.forChannel(lane.channel)[0]?.config.max_per_second ?? 1_000;
          const forMs =
            lane.open >= lane.depth ? lane.lastMs * ahead : (spilled.length / perSecond) * 1_000;
          const job = lane.waiting.shift()!;
          spilled.push({ job, forMs: Math.max(forMs, unhealthyForMs(lane.channel)) });
        }
        discard(lane);
      }
      return spilled;
    },
    withdraw() {
      const jobs: Job[] = [];
      for (const lane of lanes.values())
        for (let job = lane.ready.shift(); job !== undefined; job = lane.ready.shift())
          jobs.push(job);
      return jobs;
    },
    nextAt() {
      if (waiting === 0) return undefined;
      const times = [...channels]
        .filter(([, lists]) => lists.some(({ size }) => size > 0))
        .flatMap(([channel]) =>
          connections.forChannel(channel).flatMap((connection) => connection.nextAt() ?? []),
        );
      return times.length === 0 ? undefined : Math.min(...times);
    },
    get waiting() {
      return waiting;
    },
  };
}
