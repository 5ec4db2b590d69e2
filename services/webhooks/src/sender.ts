import { failpoint } from "@heliograph/contracts";
import { messageOf } from "@heliograph/runtime";
import { activeTracing, type Span } from "@heliograph/tracing";
import { mayHoldTokens, type Vault } from "@heliograph/vault";
import { bodyOfRequest } from "./batches.ts";
import { together, type Job } from "./job.ts";
import { gate, isEmpty, isHealthy, isOpen, nextJob, type Lane } from "./lane.ts";
import { Attempt } from "./attempt.ts";
import type { Carrier } from "./connections.ts";
import type { DialTarget } from "@heliograph/api";
import type { Result } from "./result.ts";
import { sign, signTimestamped } from "./sign.ts";

type Flight = {
  readonly lane: Lane;
  readonly job: Job;
  readonly attempt: Attempt;
  readonly healthy: boolean;
  /** Its endpoint is failing or slow, or turns out to be. */
  isHeld: boolean;
  span?: Span | undefined;
};

/** What has no answer after so long is slow, and so is its endpoint until it answers sooner. */
const slowAfterMs = 1_000;

const unknownTrace: Pick<Job, "traceparent"> = { traceparent: undefined };
const faultOf = (result: Result): string | undefined => {
  if (result.type === "error") return result.code;
  return result.status < 300 ? undefined : String(result.status);
};

/**
 * Sends what waits in lanes. Lanes that have something to send stand in a queue and get one turn after another, so the global limit is shared fairly;
 * a lane that must wait for time is given to `onWait`.
 *
 * Who answers slowly holds his room for long, and a turn for each does not help the others: a hundred endpoints that answer 200 just before the deadline would have nearly all of it for good. So slow and
 * failing ones leave a quarter, and the others have as much even while those that turned out to be slow only in the air hold all: what is above the limit then is theirs.
 */
export class Sender {
  readonly #connect: (target: DialTarget) => Carrier;
  readonly #deadlineMs: number;
  readonly #maxActive: number;
  /** Endpoints that are failing share so much of it, so that however many are dead the others find room; and these find as much whoever is slow. */
  readonly #quarter: number;
  readonly #now: () => number;
  readonly #open: Vault["openJson"];
  readonly #onDone: (lane: Lane, job: Job, result: Result, attempt: Attempt) => void;
  readonly #onWait: (lane: Lane) => void;
  readonly #turns = new Set<Lane>();
  /** Slow and failing ones that find no room. */
  readonly #crowded = new Set<Lane>();
  /** In order of their start: the first is the first to reach the deadline. */
  readonly #flights = new Set<Flight>();
  #unhealthyActive = 0;
  #heldActive = 0;
  #draining = false;
  #stopped = false;

  constructor(options: {
    readonly connect: (target: DialTarget) => Carrier;
    /** For connect, headers and body together. */
    readonly deadlineMs: number;
    /** Requests in the air over all endpoints; twice as many at most while those that began well turn out to be slow. Sockets and memory are bounded by that. */
    readonly maxActive: number;
    readonly now: () => number;
    /** Bodies wait with what is personal in them sealed, and are opened for each attempt: after an erasure the next one says so. */
    readonly open: Vault["openJson"];
    readonly onDone: (lane: Lane, job: Job, result: Result, attempt: Attempt) => void;
    readonly onWait: (lane: Lane) => void;
  }) {
    this.#connect = options.connect;
    this.#deadlineMs = options.deadlineMs;
    this.#maxActive = options.maxActive;
    this.#quarter = Math.ceil(options.maxActive / 4);
    this.#now = options.now;
    this.#open = options.open;
    this.#onDone = options.onDone;
    this.#onWait = options.onWait;
  }

  get active(): number {
    return this.#flights.size;
  }

  /** Looks whether the lane can send. Call it after anything changed: a job came, time passed, the endpoint was edited. */
  kick(lane: Lane): void {
    this.#turns.add(lane);
    this.#drain();
  }

  /** Ends attempts that passed the deadline, and notes which endpoints are slow. */
  expire(): void {
    const now = performance.now();
    for (const flight of this.#flights) {
      const { attempt, lane } = flight;
      const forMs = now - attempt.startedAtTick;
      if (forMs >= this.#deadlineMs) {
        attempt.abort("timeout", `no complete answer within ${this.#deadlineMs} ms`);
        continue;
      }
      if (forMs <= slowAfterMs) break;
      if (!flight.isHeld) {
        flight.isHeld = lane.isSlow = true;
        this.#heldActive++;
      }
    }
    this.#drain();
  }

  /** Ends a lane's attempts: its endpoint is gone or was moved. */
  abort(lane: Lane, code: string, message: string): void {
    for (const flight of this.#flights)
      if (flight.lane === lane) flight.attempt.abort(code, message);
  }

  /** What of a replay is in the air is not tried again. */
  last(lane: Lane, replay: string): void {
    for (const flight of this.#flights)
      if (flight.lane === lane && flight.job.replay === replay)
        for (const job of together(flight.job)) job.canceled = true;
  }

  /** Starts nothing any more; what is in the air goes on. */
  stop(): void {
    this.#stopped = true;
    this.#turns.clear();
    this.#crowded.clear();
  }

  abortAll(code: string, message: string): void {
    for (const { attempt } of this.#flights) attempt.abort(code, message);
  }

  get #hasRoom(): boolean {
    const active = this.#flights.size;
    const isLeft = active - this.#heldActive < this.#quarter && active < 2 * this.#maxActive;
    return active < this.#maxActive || isLeft;
  }

  get #hasRoomForSlow(): boolean {
    return (
      this.#flights.size < this.#maxActive && this.#heldActive < this.#maxActive - this.#quarter
    );
  }

  #hasRoomFor(lane: Lane): boolean {
    if (isHealthy(lane)) return !lane.isSlow || this.#hasRoomForSlow;
    return this.#hasRoomForSlow && this.#unhealthyActive < this.#quarter;
  }

  #drain(): void {
    if (this.#draining) return; // a start that fails at once comes back here: the loop below goes on
    this.#draining = true;
    while (this.#hasRoom && !this.#stopped) {
      const lane = this.#turns.values().next().value;
      if (lane === undefined) break;
      this.#turns.delete(lane);
      if (!isOpen(lane) || isEmpty(lane)) continue;
      const state = gate(lane, this.#now());
      if (state === "time") this.#onWait(lane);
      if (state !== "open") continue; // busy: the end of an attempt brings it back
      if (this.#hasRoomFor(lane)) {
        this.#start(lane, nextJob(lane));
        this.#turns.add(lane);
      } else this.#crowded.add(lane);
    }
    this.#draining = false;
  }

  #start(lane: Lane, job: Job): void {
    const healthy = isHealthy(lane);
    lane.active++;
    if (!healthy) this.#unhealthyActive++;
    if (lane.endpoint.rate_limit !== null) lane.tokens--;
    const attempt = new Attempt(this.#now(), (result) => {
      const recorded = failpoint("webhooks.after_attempt");
      if (recorded === undefined) this.#done(flight, result);
      else void recorded.then(() => this.#done(flight, result));
    });
    const flight: Flight = { lane, job, attempt, healthy, isHeld: lane.isSlow || !healthy };
    if (flight.isHeld) this.#heldActive++;
    this.#flights.add(flight);
    const before = failpoint("webhooks.before_attempt");
    if (before === undefined) this.#dispatch(flight);
    else void before.then(() => this.#dispatch(flight));
  }

  #dispatch(flight: Flight): void {
    const { lane, job, attempt } = flight;
    const { problem } = lane.target;
    if (problem !== undefined) return attempt.abort("endpoint_unusable", problem);
    const bodies = together(job).map(({ body }) => body);
    if (!bodies.some(mayHoldTokens)) return this.#post(flight, bodies);
    this.#open(job.partner, bodies).then(
      (opened) => this.#post(flight, opened),
      (error: unknown) => attempt.abort("keys_unavailable", messageOf(error)),
    );
  }

  /** What is signed is what is sent. */
  #post(flight: Flight, bodies: readonly string[]): void {
    const { lane, job, attempt } = flight;
    const { target } = lane;
    const id = job.batch?.id ?? job.eventId;
    const body = bodyOfRequest(lane.endpoint, bodies);
    const seconds = Math.floor(attempt.startedAt / 1000);
    const replay = job.replay === undefined ? "" : `heliograph-replay: ${job.replay}\r\n`;
    const signature = sign(target.keys, id, seconds, body);
    const timestamped =
      target.timestampedIn === undefined
        ? ""
        : `${target.timestampedIn}: ${signTimestamped(target.keys, seconds, body)}\r\n`;
    // A batch is of several traces.
    const { traceparent } = job.batch === undefined ? job : unknownTrace;
    const trace = traceparent === undefined ? "" : `traceparent: ${traceparent}\r\n`;
    flight.span = activeTracing()?.follow("client", `webhook ${job.type}`, traceparent, {
      "heliograph.endpoint": job.endpointId,
      "heliograph.attempt": job.attempts.length + 1,
    });
    const length = Buffer.byteLength(body);
    lane.connections ??= this.#connect(target.dial);
    attempt.send(
      lane.connections,
      `${target.head}webhook-id: ${id}\r\nwebhook-timestamp: ${seconds}\r\nwebhook-signature: ${signature}\r\n${timestamped}${replay}${trace}content-length: ${length}\r\n\r\n${body}`,
    );
  }

  #done(flight: Flight, result: Result): void {
    const { lane, job, attempt, span } = flight;
    this.#flights.delete(flight);
    span?.end(undefined, faultOf(result));
    lane.active--;
    if (!flight.healthy) this.#unhealthyActive--;
    if (flight.isHeld) this.#heldActive--;
    lane.isSlow = performance.now() - attempt.startedAtTick > slowAfterMs;
    if (this.#hasRoomForSlow) {
      for (const crowded of this.#crowded) this.#turns.add(crowded);
      this.#crowded.clear();
    }
    lane.usedAt = this.#now();
    this.#onDone(lane, job, result, attempt);
    this.kick(lane);
  }
}
