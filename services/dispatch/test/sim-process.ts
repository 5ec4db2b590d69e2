import { deterministicId, streamOf } from "@heliograph/contracts";
import { LogUnavailable, ofType } from "@heliograph/log";
import {
  Fenced,
  isMachinery,
  newLogger,
  realClock,
  type PartnerClock,
  type WritePart,
} from "@heliograph/runtime";
import { noBucket } from "../src/bucket.ts";
import type { Verdict } from "../src/clearance.ts";
import type { Connections } from "../src/connections.ts";
import { openDesk, type At, type Desk, type Effect, type Entry, type Input } from "../src/desk.ts";
import type { Called } from "../src/job.ts";
import { recover } from "../src/recover.ts";
import { step } from "../src/step.ts";
import type { Store } from "../src/store.ts";
import { simulator } from "./harness.ts";
import { loneConnections } from "./lone-connections.ts";
import type { Clearing, World } from "./sim-world.ts";

const logger = newLogger("silent");
/** An owner that has not heard of its tables for longer asks before it calls. */
const OWNERSHIP_MS = 5_000;

/** What is read on the way to a verdict. */
const looks = "look";
const pause: Input[] = [{ type: "pause" }];

/** What is under way outside of the desk: done by `act`, and told by what that gives. */
type Flight = { readonly name: string; readonly act: () => Promise<readonly Input[]> };
type Landed = {
  readonly name: string;
  readonly inputs: readonly Input[];
  readonly again: boolean;
};
/** runs → stopping (calls in flight end) → finishing (one last commit) → closing (places are given back) → gone. */
type Life = "runs" | "stopping" | "finishing" | "closing" | "gone";

/** A dispatcher around `step`, with what its executor and its runtime do: everything happens when, and in the order in which, it is let happen. */
export class Process {
  readonly #world: World;
  readonly #epoch: number;
  readonly desk: Desk;
  readonly connections: Connections;
  readonly clock: PartnerClock;
  /** How far its clock is from the right time. */
  skewMs: number;
  life: Life = "runs";
  /** It has seen that somebody else is the owner. */
  fenced = false;
  /** A commit of it failed, or it could not wait for the calls in flight. */
  isDisorderly = false;
  /** Position up to which the feed has been handed to it. */
  fed: bigint;
  takesFeed = true;
  #position: bigint;
  #provedAt: number;
  #inbox: Input[] = [{ type: "rows due" }];
  #flights: Flight[] = [];
  #landed: Landed[] = [];
  readonly #clearing: Clearing | undefined;
  #clears = 0;
  readonly #alarms = new Map<string, { at: number; input: Input }>();

  private constructor(world: World, connections: Connections, desk: Desk, skewMs: number) {
    this.#world = world;
    this.#epoch = world.tables.epoch;
    this.#position = this.fed = world.tables.position;
    this.#provedAt = world.now;
    this.connections = connections;
    this.desk = desk;
    this.skewMs = skewMs;
    this.#clearing = world.opensClearing?.((act) => this.#look(act));
    this.clock = clockOf(() => this.now);
  }

  /** A new owner: whoever was one before is none any more, whether it knows or not. */
  static async start(world: World, skewMs: number): Promise<Process> {
    const { tables, log, draw, configured } = world;
    const epoch = ++tables.epoch;
    const started: { process?: Process } = {};
    const now = (): number => started.process?.now ?? world.now + skewMs;
    // Its breakers know nothing yet.
    const connections = loneConnections({ now, bucketOf: () => noBucket });
    const configs = configured.map((changes, index) =>
      simulator("sms", {
        name: `sim-${index}`,
        gateway_id: deterministicId("gtw", `sim-${index}`),
        max_concurrent: 2,
        ...changes,
      }),
    );
    connections.reconcile(configs, []);
    const openIntents = async () => [...tables.intents].map(([id, intent]) => ({ id, ...intent }));
    const { position } = tables;
    const unsettled = await recover({
      log,
      store: { openIntents } as unknown as Store,
      shard: undefined,
      checkpoint: {
        dealt: () => undefined,
        position,
        commit: async (to: bigint, parts: readonly WritePart[] = []) =>
          tables.commit(epoch, position, to, parts),
      },
      connections,
      logger,
      clock: clockOf(now),
      random: draw,
      scale: 1,
      signal: new AbortController().signal,
      setApart: () => Promise.reject(new Error("a row of its own cannot be read")),
    });
    const headAtStart = await log.head();
    const limits = { mostJobs: 6, requestBytes: 10_000 };
    const desk = openDesk({ owner: null, epoch, position, headAtStart, unsettled, ...limits });
    const process = new Process(world, connections, desk, skewMs);
    started.process = process;
    process.#turn();
    return process;
  }

  get now(): number {
    return this.#world.now + this.skewMs;
  }
  get #isOwner(): boolean {
    return this.#epoch === this.#world.tables.epoch;
  }
  /** Nothing is under way, and nothing will be. */
  get isOver(): boolean {
    return this.life === "gone" && this.#flights.length === 0 && this.#landed.length === 0;
  }

  #at(): At {
    const { now, clock, connections: gateways } = this;
    const links = { masterKey: Buffer.alloc(32), environment: "sandbox", origin: "" } as const;
    const inbox = { put: (input: Input) => void this.#inbox.push(input) };
    return { now, clock, random: this.#world.draw, scale: 1, links, gateways, inbox };
  }
  tell(...inputs: readonly Input[]): void {
    this.#inbox.push(...inputs);
    this.#turn();
  }
  #turn(): void {
    this.#world.latest = Math.max(this.#world.latest, this.now);
    for (let rests = false; !rests;) {
      const inputs = this.#inbox.length > 0 ? this.#inbox : pause;
      this.#inbox = [];
      for (const effect of step(this.desk, inputs, this.#at())) this.#begin(effect);
      rests = inputs === pause && this.#inbox.length === 0;
    }
  }

  /** Something is read on its behalf; nothing is once it is gone. */
  #look<Result>(act: () => Promise<Result>): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    if (this.life === "gone") return promise;
    this.#fly(looks, async () => {
      if (this.#world.goesWrong(0.02)) reject(new LogUnavailable("it is away"));
      else await act().then(resolve, reject);
      return [];
    });
    return promise;
  }
  /** Whatever it listens to goes on without it. */
  leave(): void {
    this.life = "gone";
    this.#clearing?.close();
    this.#flights = this.#flights.filter(({ name }) => name !== looks);
  }
  #fly(name: string, act: () => Promise<readonly Input[]> | readonly Input[]): void {
    this.#flights.push({ name, act: async () => act() });
  }
  #wake(name: string, at: number, input: Input): void {
    if (this.life !== "runs") return;
    const known = this.#alarms.get(name);
    if (known === undefined || at < known.at) this.#alarms.set(name, { at, input });
  }
  /** Something is out of order: the runtime stops it. */
  #broken(error: unknown, commit = false): false {
    this.isDisorderly = true;
    if (error instanceof Fenced) this.fenced = true;
    this.#inbox.push({ type: "broken", commit });
    return false;
  }
  #commit(to: bigint, parts: readonly WritePart[]): void {
    this.#world.tables.commit(this.#epoch, this.#position, to, parts);
    this.#position = to;
    this.#provedAt = this.#world.now;
  }
  /** Calls are not for one who may have been away for long. */
  #isSure(): boolean {
    if (this.fenced) return false;
    if (this.#world.now - this.#provedAt <= OWNERSHIP_MS) return true;
    return this.#prove();
  }
  #prove(): boolean {
    try {
      this.#commit(this.#position, []);
      return true;
    } catch (error) {
      return this.#broken(error);
    }
  }

  #begin(effect: Effect): void {
    const { log, tables } = this.#world;
    switch (effect.type) {
      case "read":
        return this.#fly(effect.type, async () => {
          const { jobs } = effect;
          const streams = await log.readStreams(jobs.map(({ look }) => look.stream));
          return [
            { type: "streams", jobs, streams },
            { type: "all read", for: effect.for },
          ];
        });
      case "clear":
        return this.#clear(effect.of);
      case "ask":
        return this.#fly(effect.type, () => [
          { type: "asked", of: effect.of, answer: this.#world.lookUp(effect.attemptId) },
        ]);
      case "seek receipts":
        return this.#fly(effect.type, async () => {
          const { of } = effect;
          const told = await log.readStream(streamOf("receipts", of.job.messageId));
          const receipts = told.filter(ofType("ReceiptReceived"));
          if (receipts.length > 0 && this.#isOwner) this.#world.proven.add(of.job.messageId);
          return [{ type: "receipts", of, receipts }];
        });
      case "append":
        return this.#fly(effect.type, () => this.#append(effect.entry));
      case "read again":
        return this.#fly(effect.type, async () => {
          const { entry } = effect;
          const stored = await log.readStream(entry.append.stream);
          this.#fly("prove", () => (this.#prove() ? [{ type: "overtaken", entry, stored }] : []));
          return [];
        });
      case "call":
        return this.#call(effect.job);
      case "commit":
        return this.#fly(effect.type, () => this.#doCommit(effect));
      case "take rows":
        return this.#fly(effect.type, () => {
          const { of, limit } = effect;
          const rows = tables.takeDue(this.#epoch, this.now, limit);
          const next = tables.free(this.#epoch)[0]?.dueAt ?? Number.POSITIVE_INFINITY;
          return [{ type: "taken", of, rows, limit, next }];
        });
      default:
        return this.#beginHere(effect);
    }
  }
  #clear(of: Extract<Effect, { type: "clear" }>["of"]): void {
    const told = (verdict: Verdict): Input[] => [{ type: "cleared", of, verdict }];
    this.#fly("clear", async () => {
      const held = this.#world.goesWrong(0.1);
      if (held || this.#clearing === undefined)
        return told(held ? { type: "held" } : { type: "cleared", opened: undefined });
      // It reads in its own time.
      this.#clears++;
      void this.#clearing
        .clear(of.state)
        .finally(() => this.#clears--)
        .then(told, (error: unknown): Input[] => {
          if (!isMachinery(error)) return [{ type: "unclear", job: of.job, error }];
          if (this.life !== "gone") this.#broken(error);
          return [{ type: "pause" }];
        })
        .then((inputs) => this.#landed.push({ name: "clear", inputs, again: false }));
      return [];
    });
  }
  /** What concerns this process alone. */
  #beginHere(effect: Effect): void {
    switch (effect.type) {
      case "wake": {
        const type = effect.for === "rows" ? "rows due" : "lingered";
        return this.#wake(effect.for, effect.at, { type });
      }
      case "give place": {
        const { waiter, connection } = effect;
        return void this.#inbox.push({ type: "place", lane: waiter.lane, connection });
      }
      case "took room":
        if (effect.nextAt !== undefined)
          this.#wake("gateways", effect.nextAt, { type: "gateway changed" });
        return;
      case "batch over":
        if ("error" in effect) throw effect.error;
        this.takesFeed = true;
        return;
      case "break":
        throw effect.error;
      case "halted":
        throw new Error(JSON.stringify(effect));
      case "release":
        return this.connections.released(effect.connection);
      case "over":
        return this.#over(effect.what);
      default:
    }
  }

  async #append(entry: Entry): Promise<readonly Input[]> {
    const [outcome] = await this.#world.log.append([entry.append]);
    if (outcome!.kind === "invalid") throw new Error(outcome!.message);
    const kind = outcome!.kind === "conflict" ? "conflict" : "recorded";
    return [{ type: "written", entry, outcome: { kind } }];
  }
  #call(job: Called): void {
    const begun = this.now;
    this.#fly("call", async () => {
      if (!this.#isSure()) return [{ type: "not made", job }];
      this.#world.begins(job, begun);
      const result = await this.#world.call(job);
      this.#fly("answer", () => {
        this.#world.ended(job);
        const durationMs = this.#world.draw() * 40;
        return [{ type: "answered", job, result, durationMs }];
      });
      return [];
    });
  }
  #doCommit({ commit, parts }: Extract<Effect, { type: "commit" }>): readonly Input[] {
    try {
      if (this.#world.goesWrong(0.02)) throw new Error("the commit did not arrive");
      this.#commit(commit.position, parts);
      if (this.#world.goesWrong(0.02)) throw new Error("its answer did not arrive");
      return [{ type: "committed", commit }];
    } catch (error) {
      // Of the last one nobody hears but who waits for the end.
      if (commit.last) this.#close();
      else this.#broken(error, true);
      return [];
    }
  }

  /** Nothing new begins, as at SIGTERM. */
  stop(): void {
    if (this.life !== "runs") return;
    this.life = "stopping";
    this.#alarms.clear();
    this.#inbox.push({ type: "stop" });
  }
  /** One step of the way to its end, when its time has come or, `now`, has to. */
  end(now: boolean): boolean {
    if (this.life === "runs" && this.isDisorderly) {
      this.stop();
      this.#turn();
      return true;
    }
    if (this.life !== "stopping") return false;
    const appends = ({ name }: { readonly name: string }): boolean => name === "append";
    const pending =
      this.desk.jobs.areCalled ||
      this.#flights.some(appends) ||
      this.#landed.some((landed) => !landed.again && appends(landed));
    if (pending && !now && !this.fenced) return false;
    this.isDisorderly ||= pending;
    if (this.fenced) this.#close();
    else {
      this.life = "finishing";
      this.#inbox.push({ type: "finish" });
    }
    this.#turn();
    return true;
  }
  #over(what: "commits" | "desk"): void {
    if (what === "desk") this.leave();
    else if (this.life === "finishing") {
      const left = this.#world.tables.intents.size;
      if (!this.isDisorderly && this.#isOwner && left > 0)
        this.#world.faults.push(`${left} announced calls are left after an orderly end`);
      this.#close();
    }
  }
  #close(): void {
    this.life = "closing";
    this.fenced = true;
    this.#inbox.push({ type: "close" });
  }

  /** A verdict is looked for, which takes turns of the event loop. */
  get clears(): boolean {
    return this.#clears > 0 && this.life !== "gone";
  }
  get underWay(): readonly string[] {
    return this.#flights.map(({ name }) => name);
  }
  /** What this is called is done, or told, only when nothing else is under way. */
  slow = "";
  /** One thing that is under way is done, or told; `repeats`: told once more some time later. */
  async advance(repeats = false): Promise<boolean> {
    const all = [
      ...this.#flights.map(({ name }, index) => ({ slow: name === this.slow, index })),
      ...this.#landed.map(({ name }, index) => ({
        slow: `told ${name}` === this.slow,
        index: ~index,
      })),
    ];
    if (all.length === 0) return this.end(false);
    if (this.end(false)) return true;
    const quick = all.filter(({ slow }) => !slow);
    const { index } = this.#world.oneOf(quick.length > 0 ? quick : all);
    if (index >= 0) {
      const [{ name, act }] = this.#flights.splice(index, 1) as [Flight];
      const inputs = await act();
      if (inputs.length > 0) this.#landed.push({ name, inputs, again: false });
      this.#turn();
      return true;
    }
    const [landed] = this.#landed.splice(~index, 1) as [Landed];
    if (repeats && this.#world.draw() < 0.3) this.#landed.push({ ...landed, again: true });
    this.tell(...landed.inputs);
    return true;
  }
  /** When its next alarm rings, by the right time. */
  get nextAlarm(): number {
    const times = [...this.#alarms.values()].map(({ at }) => at);
    return Math.min(...times) - this.skewMs;
  }
  ring(): void {
    for (const [name, { at, input }] of this.#alarms) {
      if (at > this.now) continue;
      this.#alarms.delete(name);
      this.#inbox.push(input);
    }
    this.#turn();
  }
}

const clockOf = (now: () => number): PartnerClock => ({ ...realClock, now });
