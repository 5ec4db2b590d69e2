import { Fifo, PartnerTurns } from "@heliograph/runtime";
import { type Choice, choose } from "./choose.ts";
import type { Connection, Connections } from "./connections.ts";
import { estimateWaits } from "./estimate.ts";
import { type Job, routedOf } from "./job.ts";

/** Calls admitted for one recipient at a time: grows with each quick call, and is one after a slow call, which would hold the others up. */
const FIRST_DEPTH = 32;
const LARGEST_DEPTH = 512;
const QUICK_MS = 20;
/** Every eighth admission of a partner goes to the lowest priority that waits, so that a flood of urgent messages starves none of its others. */
const LOW_TURN = 8;
const PRIORITIES = 4;
/** So many lanes that wait for gateways of their own are looked over in one turn of a partner, and in one admission; what comes behind them has its turn in a later one. */
const LOOKED_OVER_IN_TURN = 16;
const LOOKED_OVER = 64;

/**
 * Everything for one recipient: at most one call is in flight, in the order of arrival within a priority. A job goes through a lane like this:
 *
 *   add ──▶ waiting ──admit──▶ announced ──run──▶ ready ──drive──▶ called ──▶ its outcome is the dispatcher's
 *              │                (an intent        │
 *              │                 is written)      └── withdraw, when the dispatcher ends: a row again
 *              └── spill, after a second: a row again
 *
 * A lane with room (`open` below `depth`) and something waiting stands once in the lists that its partner has in its channel, under the priority of its first job (`listed`);
 * `admit` takes one lane of each partner in turns, so that what one of them floods stands behind its own messages alone. `depth` bounds what a slow recipient can have announced: it grows with each quick call and is one after a slow one. A lane that drives
 * (`running`) takes a place of its gateway (`active`); when there is none it waits in the gateway's `blocked`. It is forgotten when nothing is left in it.
 */
type Lane = {
  readonly key: string;
  readonly partner: string;
  readonly channel: string;
  readonly waiting: Fifo<Job>;
  /** Admitted and announced by a durable intent. */
  readonly ready: Fifo<Job>;
  /** Admitted and not yet called. */
  open: number;
  depth: number;
  running: boolean;
  /** Highest priority under which it is in its partner's lists; -1 when in none. */
  listed: number;
  lastMs: number;
};

export type Lanes = {
  /** The job waits its turn. */
  add(job: Job): void;
  /** Takes up to `limit` jobs for which there is room now, of each partner in turn, its highest priority first, and gives each its gateway. */
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

const partnerOf = ({ state }: Job): string => state.requestEvent.metadata.partner ?? "";

const newLane = (job: Job): Lane => ({
  key: job.lane,
  partner: partnerOf(job),
  channel: job.state.request.channel,
  waiting: new Fifo(),
  ready: new Fifo(),
  open: 0,
  depth: FIRST_DEPTH,
  running: false,
  listed: -1,
  lastMs: 0,
});

/** The lanes of one partner in one channel that have room, by the priority of what is next in them. */
class PartnerLanes {
  readonly #lists = Array.from({ length: PRIORITIES }, () => new Fifo<Lane>());
  #turn = 0;
  size = 0;

  push(lane: Lane, priority: number): void {
    this.#lists[priority]!.push(lane);
    lane.listed = priority;
    this.size++;
  }
  /** Takes the lane whose turn it is, out of the lists. There is one. */
  shift(): Lane {
    const low = this.#turn++ % LOW_TURN === LOW_TURN - 1;
    const waits = ({ size }: Fifo<Lane>): boolean => size > 0;
    const lane = (low ? this.#lists.find(waits) : this.#lists.findLast(waits))!.shift()!;
    lane.listed = -1;
    this.size--;
    return lane;
  }
}

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
  const channels = new Map<string, PartnerTurns<PartnerLanes>>();
  let waiting = 0;

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
    let partners = channels.get(lane.channel);
    if (partners === undefined)
      channels.set(lane.channel, (partners = new PartnerTurns(() => new PartnerLanes())));
    partners.of(lane.partner).push(lane, priority);
  }

  function admitFrom(
    channel: string,
    partners: PartnerTurns<PartnerLanes>,
    limit: number,
    admitted: Job[],
  ): void {
    const ofChannel = connections.forChannel(channel);
    /** Lanes whose next message waits for gateways that others need not wait for: listed again at the end. */
    const aside: Lane[] = [];
    const passedOver: string[] = [];
    for (const [partner, its] of partners) {
      if (admitted.length >= limit || (ofChannel.length > 0 && !ofChannel.some(isFree))) break;
      if (takeTurn(its, aside, admitted)) partners.had(partner);
      // Its turn is kept for the moment when its gateways have room.
      else passedOver.push(partner);
      if (aside.length >= LOOKED_OVER) {
        for (const lane of aside.splice(0)) list(lane);
        for (const each of passedOver) partners.had(each);
        break;
      }
    }
    for (const lane of aside) list(lane);
  }

  /** One job of a partner is admitted, or found unfit. False when what was looked at has to wait for its gateways. */
  function takeTurn(its: PartnerLanes, aside: Lane[], admitted: Job[]): boolean {
    for (let looks = 0; looks < LOOKED_OVER_IN_TURN && its.size > 0; looks++) {
      const lane = its.shift();
      if (admitOne(lane, admitted)) {
        list(lane);
        discard(lane);
        return true;
      }
      aside.push(lane);
    }
    return false;
  }

  /** Admits the next job of a lane, or finds it unfit. False when it has to wait for its gateways. */
  function admitOne(lane: Lane, admitted: Job[]): boolean {
    const job = lane.waiting.peek();
    if (job === undefined || lane.open >= lane.depth) return true;
    const expired = job.isExpired();
    const choice = expired
      ? undefined
      : choose(connections.routeOf(routedOf(job)), job.state.failed, random());
    if (choice?.type === "wait") return false;
    lane.waiting.shift();
    waiting--;
    if (choice?.type === "chosen") {
      give(job, choice, now());
      lane.open++;
      admitted.push(job);
    } else unfit(job, expired ? "expired" : "no_gateway");
    return true;
  }

  function discard(lane: Lane): void {
    if (!lane.running && lane.open === 0 && lane.waiting.size === 0) lanes.delete(lane.key);
  }

  function start(lane: Lane): void {
    const connection = lane.ready.peek()?.connection;
    lane.running = connection !== undefined;
    if (connection === undefined) return; // Withdrawn while it was blocked.
    if (connection.active >= connection.config.max_concurrent) {
      connection.blocked.of(lane.partner).push(() => start(lane));
      return;
    }
    connection.active++;
    drive(lane)
      .catch(broken)
      .finally(() => {
        connection.active--;
        // One that was withdrawn meanwhile takes no place: the next has its turn.
        for (const [partner, blocked] of connection.blocked) {
          if (connection.active >= connection.config.max_concurrent) break;
          const unblock = blocked.shift()!;
          connection.blocked.had(partner);
          unblock();
        }
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
      for (const [channel, partners] of channels) admitFrom(channel, partners, limit, admitted);
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
      const estimate = estimateWaits(connections, now);
      for (const lane of lanes.values()) {
        for (
          let ahead = 1;
          (lane.waiting.peek()?.since ?? Number.POSITIVE_INFINITY) < since;
          ahead++
        ) {
          waiting--;
          const job = lane.waiting.shift()!;
          const behindOwnMs = lane.open >= lane.depth ? lane.lastMs * ahead : 0;
          spilled.push({ job, forMs: Math.max(behindOwnMs, estimate(job)) });
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
        .filter(([, partners]) => partners.size > 0)
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
