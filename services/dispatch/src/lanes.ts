import type { GatewayChoice } from "@heliograph/contracts";
import type { Ticket } from "./breaker.ts";
import { choose } from "./choose.ts";
import type { Connection, Connections } from "./connections.ts";
import { estimateWaits, type Wait } from "./estimate.ts";
import { Fifo } from "./fifo.ts";
import { type Announced, recipientOf, routedOf, type Task, type Waiting } from "./job.ts";
import { PartnerTurns } from "./partner-turns.ts";
import { unhealthyFor } from "./rest.ts";

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
 * Everything for one recipient: at most one call is in flight, in the order of arrival within a priority. A lane with room (`open` below `depth`) and something waiting stands once in
 * the lists that its partner has in its channel, under the priority of its first job (`listed`); `admit` takes one lane of each partner in turns, so that what one of them floods stands
 * behind its own messages alone. `depth` bounds what a slow recipient can have announced: it grows with each quick call and is one after a slow one. A lane that drives (`running`) has a
 * place of a gateway, or waits for one in the gateway's `blocked`. It is forgotten when nothing is left in it.
 */
type OpenLane = {
  readonly key: string;
  readonly partner: string;
  readonly channel: string;
  readonly waiting: Fifo<Waiting>;
  /** Announced by a durable intent. */
  readonly ready: Fifo<Announced>;
  /** Admitted and not yet called. */
  open: number;
  depth: number;
  running: boolean;
  /** The gateway at which it has a place. */
  place: Connection | undefined;
  /** Highest priority under which it is in its partner's lists; -1 when in none. */
  listed: number;
  lastMs: number;
};
export type Lane = Readonly<OpenLane>;

const isFree = ({ unhealthy, full }: Connection): boolean => unhealthy === undefined && !full;

const newLane = ({ lane, state }: Task): OpenLane => ({
  key: lane,
  partner: state.requestEvent.metadata.partner ?? "",
  channel: state.request.channel,
  waiting: new Fifo(),
  ready: new Fifo(),
  open: 0,
  depth: FIRST_DEPTH,
  running: false,
  place: undefined,
  listed: -1,
  lastMs: 0,
});

/** The lanes of one partner in one channel that have room, by the priority of what is next in them. */
class PartnerLanes {
  readonly #lists = Array.from({ length: PRIORITIES }, () => new Fifo<OpenLane>());
  #turn = 0;
  size = 0;

  push(lane: OpenLane, priority: number): void {
    this.#lists[priority]!.push(lane);
    lane.listed = priority;
    this.size++;
  }
  /** Takes the lane whose turn it is, out of the lists. There is one. */
  shift(): OpenLane {
    const low = this.#turn++ % LOW_TURN === LOW_TURN - 1;
    const waits = ({ size }: Fifo<OpenLane>): boolean => size > 0;
    const lane = (low ? this.#lists.find(waits) : this.#lists.findLast(waits))!.shift()!;
    lane.listed = -1;
    this.size--;
    return lane;
  }
  /** Lanes in which nothing waits any more leave the lists: while no gateway has room nobody takes them out, and each message that comes back from its row brings another. */
  tidy(): void {
    for (const list of this.#lists)
      for (let left = list.size; left > 0; left--) {
        const lane = list.shift()!;
        if (lane.waiting.size > 0) list.push(lane);
        else {
          lane.listed = -1;
          this.size--;
        }
      }
  }
}

/** A job with the gateway that it was given. */
export type Chosen = {
  readonly job: Waiting;
  readonly connection: Connection;
  readonly choice: GatewayChoice;
  readonly ticket: Ticket;
};
/** Its validity ended, or its channel has no gateway. */
export type Unfit = { readonly job: Waiting; readonly why: "untimely" | "no_gateway" };
/** It has waited too long in memory. */
export type Spilled = { readonly job: Waiting } & Wait;
export type Admission = { readonly chosen: Chosen[]; readonly unfit: Unfit[] };

/** What admission asks for. */
export type Around = {
  readonly gateways: Connections;
  readonly random: () => number;
  readonly isUntimely: (task: Task) => boolean;
  readonly now: number;
};

export class Lanes {
  readonly #lanes = new Map<string, OpenLane>();
  readonly #channels = new Map<string, PartnerTurns<PartnerLanes>>();
  #waiting = 0;

  get waiting(): number {
    return this.#waiting;
  }
  /** The job waits its turn. */
  add(job: Waiting): void {
    const lane = this.#laneOf(job.task);
    const { priority } = job.task.state.request;
    lane.waiting.insert(job, (other) => other.task.state.request.priority < priority);
    this.#waiting++;
    this.#list(lane);
  }
  /** Takes up to `limit` jobs for which there is room now, of each partner in turn, its highest priority first, and gives each its gateway. */
  admit(limit: number, around: Around): Admission {
    const admission: Admission = { chosen: [], unfit: [] };
    if (this.#waiting === 0) return admission;
    for (const [channel, partners] of this.#channels)
      this.#admitFrom(channel, partners, limit, admission, around);
    return admission;
  }
  /** It may be called. */
  ready(job: Announced): Lane {
    const lane = this.#laneOf(job.task);
    lane.ready.push(job);
    return lane;
  }
  of(key: string): Lane | undefined {
    return this.#lanes.get(key);
  }
  /** It drives from now on, or waits for a place. */
  run(key: string, place: Connection | undefined): void {
    const lane = this.#lanes.get(key)!;
    lane.running = true;
    lane.place = place;
  }
  /** Takes out what is to be called next. Where nothing is, the lane stops, and gives the place that it had. */
  next(key: string): Announced | undefined {
    return this.#lanes.get(key)?.ready.shift();
  }
  rest(key: string): void {
    const lane = this.#lanes.get(key);
    if (lane === undefined) return;
    lane.running = false;
    lane.place = undefined;
    this.#discard(lane);
  }
  /** A call of the lane has ended. */
  called(key: string, durationMs: number): void {
    const lane = this.#lanes.get(key);
    if (lane === undefined) return;
    lane.lastMs = durationMs;
    lane.depth = durationMs <= QUICK_MS ? Math.min(LARGEST_DEPTH, lane.depth + 1) : 1;
    this.left(key);
  }
  /** One that was announced is in the lane no more. */
  left(key: string): void {
    const lane = this.#lanes.get(key);
    if (lane === undefined) return;
    lane.open--;
    this.#list(lane);
  }
  /** Takes out jobs that have waited since before `since`, each with an estimate of how long it would have to wait on. */
  spill(since: number, gateways: Connections, now: number): readonly Spilled[] {
    const spilled: Spilled[] = [];
    if (this.#waiting === 0) return spilled;
    const estimate = estimateWaits(gateways, now);
    for (const lane of this.#lanes.values()) {
      for (
        let ahead = 1;
        (lane.waiting.peek()?.task.since ?? Number.POSITIVE_INFINITY) < since;
        ahead++
      ) {
        this.#waiting--;
        const job = lane.waiting.shift()!;
        const behindOwnMs = lane.open >= lane.depth ? lane.lastMs * ahead : 0;
        const { forMs, rest } = estimate(job.task);
        spilled.push({ job, forMs: Math.max(behindOwnMs, forMs), rest });
      }
      this.#discard(lane);
    }
    if (spilled.length > 0) this.#tidy();
    return spilled;
  }
  /** Takes out what is announced and not yet called. */
  withdraw(): readonly Announced[] {
    const jobs: Announced[] = [];
    for (const { ready } of this.#lanes.values())
      for (let job = ready.shift(); job !== undefined; job = ready.shift()) jobs.push(job);
    return jobs;
  }
  /** When something that waits may have room again; undefined when only a finished call can make it. */
  nextAt(gateways: Connections): number | undefined {
    if (this.#waiting === 0) return undefined;
    const times = [...this.#channels]
      .filter(([, partners]) => partners.size > 0)
      .flatMap(([channel]) =>
        gateways.forChannel(channel).flatMap((connection) => connection.nextAt() ?? []),
      );
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #laneOf(task: Task): OpenLane {
    let lane = this.#lanes.get(task.lane);
    if (lane === undefined) this.#lanes.set(task.lane, (lane = newLane(task)));
    return lane;
  }

  #list(lane: OpenLane): void {
    const priority = lane.waiting.peek()?.task.state.request.priority ?? -1;
    if (lane.open >= lane.depth || priority <= lane.listed) return;
    let partners = this.#channels.get(lane.channel);
    if (partners === undefined)
      this.#channels.set(lane.channel, (partners = new PartnerTurns(() => new PartnerLanes())));
    partners.of(lane.partner).push(lane, priority);
  }

  #admitFrom(
    channel: string,
    partners: PartnerTurns<PartnerLanes>,
    limit: number,
    admission: Admission,
    around: Around,
  ): void {
    const ofChannel = around.gateways.forChannel(channel);
    /** Lanes whose next message waits for gateways that others need not wait for: listed again at the end. */
    const aside: OpenLane[] = [];
    const passedOver: string[] = [];
    for (const [partner, its] of partners) {
      if (admission.chosen.length >= limit || (ofChannel.length > 0 && !ofChannel.some(isFree)))
        break;
      if (this.#takeTurn(its, aside, admission, around)) partners.had(partner);
      // Its turn is kept for the moment when its gateways have room.
      else passedOver.push(partner);
      if (aside.length >= LOOKED_OVER) {
        for (const lane of aside.splice(0)) this.#list(lane);
        for (const each of passedOver) partners.had(each);
        break;
      }
    }
    for (const lane of aside) this.#list(lane);
  }

  /** One job of a partner is admitted, or found unfit. False when what was looked at has to wait for its gateways. */
  #takeTurn(its: PartnerLanes, aside: OpenLane[], admission: Admission, around: Around): boolean {
    for (let looks = 0; looks < LOOKED_OVER_IN_TURN && its.size > 0; looks++) {
      const lane = its.shift();
      if (this.#admitOne(lane, admission, around)) {
        this.#list(lane);
        this.#discard(lane);
        return true;
      }
      aside.push(lane);
    }
    return false;
  }

  /** Admits the next job of a lane, or finds it unfit. False when it has to wait for its gateways. */
  #admitOne(lane: OpenLane, { chosen, unfit }: Admission, around: Around): boolean {
    const job = lane.waiting.peek();
    if (job === undefined || lane.open >= lane.depth) return true;
    const untimely = around.isUntimely(job.task);
    const choice = untimely
      ? undefined
      : choose(
          around.gateways.routeOf(routedOf(job.task)),
          job.task.state.failed,
          around.random(),
          unhealthyFor(recipientOf(job.task), around.now),
        );
    if (choice?.type === "wait") return false;
    lane.waiting.shift();
    this.#waiting--;
    if (choice?.type === "chosen") {
      // The gateway has a place less.
      const connection = choice.candidate;
      connection.open++;
      connection.bucket.take();
      lane.open++;
      const ticket = connection.breaker.begin(around.now);
      chosen.push({ job, connection, choice: choice.choice, ticket });
    } else unfit.push({ job, why: untimely ? "untimely" : "no_gateway" });
    return true;
  }

  #tidy(): void {
    for (const partners of this.#channels.values())
      for (const [partner, its] of partners) {
        its.tidy();
        if (its.size === 0) partners.had(partner);
      }
  }

  /** One that is forgotten may stand in a list still: then its key may be another's by now. */
  #discard(lane: OpenLane): void {
    if (lane.running || lane.open !== 0 || lane.waiting.size > 0) return;
    if (this.#lanes.get(lane.key) === lane) this.#lanes.delete(lane.key);
  }
}
