import { deterministicId, uuid5, validateEvent } from "@heliograph/contracts";
import { messageContext } from "@heliograph/domain";
import type { GatewayConfig, SendResult } from "@heliograph/gateways";
import { openMemoryLog, type RecordedEvent } from "@heliograph/log";
import { newLogger, realClock, type WritePart } from "@heliograph/runtime";
import { loosely } from "@heliograph/testkit";
import { noBucket } from "../src/bucket.ts";
import type { Connections } from "../src/connections.ts";
import { openDesk, type At, type Desk, type Effect, type Input } from "../src/desk.ts";
import { recover } from "../src/recover.ts";
import { step } from "../src/step.ts";
import type { DueTimer, IntendedCall, Store, Timer } from "../src/store.ts";
import { history, send, simulator, type Order } from "./harness.ts";
import { loneConnections } from "./lone-connections.ts";

const EPOCH = 1_767_225_600_000;
const logger = newLogger("silent");
const types = ["MessageRequested", "FundsHeld", "BounceDeferred", "MessageCanceled"] as const;

/** Draws from [0, 1), the same for the same seed (mulberry32). */
export function drawsOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The tables of one dispatcher, as statements that change all or nothing. */
class Tables {
  epoch = 0;
  position = 0n;
  readonly intents = new Map<string, { epoch: number; calls: readonly IntendedCall[] }>();
  readonly timers = new Map<string, Timer & { epoch: number }>();

  commit(position: bigint, parts: readonly WritePart[]): void {
    for (const { name, values } of parts) this.#apply(name, values as never[]);
    if (position < this.position) throw new Error("the checkpoint went back");
    this.position = position;
  }
  #apply(name: string, values: readonly unknown[]): void {
    const [first, second, third, , fifth] = loosely(values);
    switch (name) {
      case "intent":
        return void this.intents.set(first, { epoch: second, calls: JSON.parse(third) });
      case "intents_done":
        for (const id of first) this.intents.delete(id);
        return;
      case "intents_rewritten":
        for (const [at, id] of first.entries())
          if (this.intents.has(id)) this.intents.get(id)!.calls = JSON.parse(second[at]);
        return;
      case "timers":
        for (const [at, id] of first.entries()) {
          const [dueAt, kind, partner] = [second[at], third[at], fifth[at] ?? undefined];
          this.timers.set(id, { dueAt, kind, partner, epoch: 0 });
        }
        return;
      case "timers_done":
        for (const id of first) this.timers.delete(id);
        return;
      default:
        throw new Error(name);
    }
  }
  free(): readonly DueTimer[] {
    return [...this.timers]
      .filter(([, { epoch }]) => epoch < this.epoch)
      .map(([messageId, timer]) => ({ messageId, ...timer }))
      .toSorted((one, other) => one.dueAt - other.dueAt);
  }
  takeDue(now: number, limit: number): readonly DueTimer[] {
    const due = this.free().filter(({ dueAt }) => dueAt <= now);
    for (const { messageId } of due.slice(0, limit)) this.timers.get(messageId)!.epoch = this.epoch;
    return due.slice(0, limit);
  }
}

/** What is under way outside of the desk: done by `act`, and told by what that gives. */
type Flight = { readonly name: string; readonly act: () => Promise<readonly Input[]> };
type Landed = { readonly name: string; readonly inputs: readonly Input[] };

/** A dispatcher around `step` whose log, tables, gateways and time are the test's: everything happens when, and in the order in which, it is let happen. */
export class Sim {
  readonly #draw: () => number;
  readonly log = openMemoryLog({ validate: validateEvent });
  readonly tables = new Tables();
  now = EPOCH;
  desk!: Desk;
  inbox: Input[] = [];
  #flights: Flight[] = [];
  #landed: Landed[] = [];
  #alarms = new Map<string, { at: number; input: Input }>();
  /** Position up to which the feed has been handed to this owner. */
  #fed = 0n;
  #batchOver = true;
  readonly #configured: readonly Partial<GatewayConfig>[];
  #connections!: Connections;
  /** Calls that reached a provider, by attempt; those it took. */
  readonly calls = new Map<string, number>();
  readonly #taken = new Set<string>();
  readonly faults: string[] = [];
  /** How providers answer, and whether a message is cleared. */
  wild = true;

  constructor(seed: number, gateways: readonly Partial<GatewayConfig>[]) {
    this.#draw = drawsOf(seed);
    this.#configured = gateways;
  }

  /** A process of its own: its breakers know nothing yet. */
  #connect(): Connections {
    const connections = loneConnections({ now: () => this.now, bucketOf: () => noBucket });
    const configs = this.#configured.map((changes, index) =>
      simulator("sms", {
        name: `sim-${index}`,
        gateway_id: deterministicId("gtw", `sim-${index}`),
        max_concurrent: 2,
        ...changes,
      }),
    );
    connections.reconcile(configs, []);
    return connections;
  }

  #clock = { ...realClock, now: () => this.now, instant: () => this.now };
  #oneOf<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.#draw() * items.length)]!;
  }
  #at(): At {
    const { now } = this;
    const random = this.#draw;
    const links = { masterKey: Buffer.alloc(32), environment: "sandbox", origin: "" } as const;
    const inbox = { put: (input: Input) => void this.inbox.push(input) };
    return { now, clock: this.#clock, random, scale: 1, links, gateways: this.#connections, inbox };
  }

  /** A new owner, after one that was there before has gone without a word. */
  async start(): Promise<void> {
    this.inbox = [{ type: "rows due" }];
    this.#flights = [];
    this.#landed = [];
    this.#alarms = new Map();
    this.#connections = this.#connect();
    const { tables } = this;
    const epoch = ++tables.epoch;
    const store = {
      openIntents: async () => [...tables.intents].map(([id, { calls }]) => ({ id, calls })),
    } as unknown as Store;
    const checkpoint = {
      position: tables.position,
      dealt: () => undefined,
      commit: async (position: bigint, parts: readonly WritePart[] = []) =>
        tables.commit(position, parts),
    };
    const unsettled = await recover({
      log: this.log,
      store,
      shard: undefined,
      checkpoint,
      connections: this.#connections,
      logger,
      clock: this.#clock,
      random: this.#draw,
      scale: 1,
      signal: new AbortController().signal,
    });
    const headAtStart = await this.log.head();
    const { position } = tables;
    const limits = { mostJobs: 6, requestBytes: 10_000 };
    this.desk = openDesk({ owner: null, epoch, position, headAtStart, unsettled, ...limits });
    this.#fed = position;
    this.#batchOver = true;
    this.#turn();
  }

  #turn(): void {
    do {
      const inputs: readonly Input[] = this.inbox.length > 0 ? this.inbox : [{ type: "pause" }];
      this.inbox = [];
      for (const effect of step(this.desk, inputs, this.#at())) this.#begin(effect);
    } while (this.inbox.length > 0);
    for (const effect of step(this.desk, [{ type: "pause" }], this.#at())) this.#begin(effect);
  }

  #fly(name: string, act: () => Promise<readonly Input[]> | readonly Input[]): void {
    this.#flights.push({ name, act: async () => act() });
  }
  #wake(name: string, at: number, input: Input): void {
    const known = this.#alarms.get(name);
    if (known === undefined || at < known.at) this.#alarms.set(name, { at, input });
  }

  #begin(effect: Effect): void {
    const { tables, log } = this;
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
        return this.#fly(effect.type, () => [
          {
            type: "cleared",
            of: effect.of,
            verdict:
              this.wild && this.#draw() < 0.1
                ? { type: "held" }
                : { type: "cleared", opened: undefined },
          },
        ]);
      case "ask":
        return this.#fly(effect.type, () => [
          { type: "asked", of: effect.of, answer: this.#lookUp(effect.attemptId) },
        ]);
      case "seek receipts":
        return this.#fly(effect.type, () => [{ type: "receipts", of: effect.of, receipts: [] }]);
      case "append":
        return this.#fly(effect.type, async () => {
          const { entry } = effect;
          const [outcome] = await log.append([entry.append]);
          if (outcome!.kind === "invalid") throw new Error(outcome!.message);
          const kind = outcome!.kind === "conflict" ? "conflict" : "recorded";
          return [{ type: "written", entry, outcome: { kind } }];
        });
      case "read again":
        return this.#fly(effect.type, async () => {
          const { entry } = effect;
          return [{ type: "overtaken", entry, stored: await log.readStream(entry.append.stream) }];
        });
      case "call":
        return this.#fly(effect.type, async () => {
          const result = await this.#call(effect.job);
          return [{ type: "answered", job: effect.job, result, durationMs: this.#draw() * 40 }];
        });
      case "commit":
        return this.#fly(effect.type, () => {
          tables.commit(effect.commit.position, effect.parts);
          return [{ type: "committed", commit: effect.commit }];
        });
      case "take rows":
        return this.#fly(effect.type, () => {
          const rows = tables.takeDue(this.now, effect.limit);
          const next = tables.free()[0]?.dueAt ?? Number.POSITIVE_INFINITY;
          return [{ type: "taken", of: effect.of, rows, limit: effect.limit, next }];
        });
      case "wake": {
        const type = effect.for === "rows" ? "rows due" : "lingered";
        return this.#wake(effect.for, effect.at, { type });
      }
      case "give place": {
        const { waiter, connection } = effect;
        return void this.inbox.push({ type: "place", lane: waiter.lane, connection });
      }
      case "took room":
        if (effect.nextAt !== undefined)
          this.#wake("gateways", effect.nextAt, { type: "gateway changed" });
        return;
      case "batch over":
        if ("error" in effect) throw effect.error;
        this.#batchOver = true;
        return;
      case "break":
        throw effect.error;
      case "halted":
        throw new Error(JSON.stringify(effect));
      case "release":
        return this.#connections.released(effect.connection);
      default:
    }
  }

  async #call({ task, given }: Extract<Effect, { type: "call" }>["job"]): Promise<SendResult> {
    const { attemptId } = given.sending;
    if (this.wild && this.#draw() < 0.1) return { type: "unavailable", error: failure(false) };
    const before = this.calls.get(attemptId) ?? 0;
    const doubts = (await history(this.log, task.messageId)).filter(
      ({ type, data }) =>
        type === "DispatchUncertain" && (data as { attempt_id: string }).attempt_id === attemptId,
    );
    if (before > doubts.length) this.faults.push(`${attemptId} is sent twice without a doubt`);
    this.calls.set(attemptId, before + 1);
    const draw = this.wild ? this.#draw() : 1;
    if (draw < 0.2) return { type: "rejected", error: failure(draw < 0.05) };
    if (draw >= 0.3 || this.#draw() < 0.5) this.#taken.add(attemptId);
    if (draw < 0.3) return { type: "uncertain", cause: "timeout" };
    return { type: "accepted", providerMessageId: `p-${attemptId}`, status: "accepted" };
  }

  #lookUp(attemptId: string): SendResult | "unknown" | undefined {
    if (this.wild && this.#draw() < 0.2) return undefined;
    if (!this.#taken.has(attemptId)) return "unknown";
    return { type: "accepted", providerMessageId: `p-${attemptId}`, status: "accepted" };
  }

  async accept(orders: readonly Order[], partner: string): Promise<readonly string[]> {
    return send(this.log, orders, partner);
  }

  /** Hands over what the feed has, some events of it or all. */
  async feed(all = false): Promise<boolean> {
    if (!this.#batchOver) return false;
    const limit = all ? 100 : 1 + Math.floor(this.#draw() * 6);
    const { events } = await this.log.readAll({ after: this.#fed, limit, types });
    const last = events.at(-1);
    if (last === undefined) return false;
    this.#fed = last.position;
    this.#batchOver = false;
    this.inbox.push({ type: "batch", events, position: last.position });
    this.#turn();
    return true;
  }
  /** An event that the feed brings once more, as an operator does with one that was set aside. */
  async repeatEvent(): Promise<void> {
    const { events } = await this.log.readAll({ after: 0n, limit: 100, types: types.slice(1) });
    const known = events.filter(({ position }) => position <= this.#fed);
    if (!this.#batchOver || known.length === 0) return;
    this.#batchOver = false;
    this.inbox.push({ type: "batch", events: [this.#oneOf(known)], position: this.#fed });
    this.#turn();
  }

  /** What this is called is done, or told, only when nothing else is under way. */
  slow = "";
  /** One thing that is under way is done, or told; `repeats`: told once more some time later. */
  async advance(repeats = false): Promise<boolean> {
    const all = [
      ...this.#flights.map((flight, index) => ({ slow: flight.name === this.slow, index })),
      ...this.#landed.map(({ name }, index) => ({
        slow: `told ${name}` === this.slow,
        index: ~index,
      })),
    ];
    const quick = all.filter(({ slow }) => !slow);
    if (all.length === 0) return false;
    const { index } = this.#oneOf(quick.length > 0 ? quick : all);
    if (index >= 0) {
      const [{ name, act }] = this.#flights.splice(index, 1) as [Flight];
      this.#landed.push({ name, inputs: await act() });
      return true;
    }
    const [landed] = this.#landed.splice(~index, 1) as [Landed];
    this.inbox.push(...landed.inputs);
    if (repeats && this.#draw() < 0.3) this.#landed.push(landed);
    this.#turn();
    return true;
  }
  /** The next alarm rings, at its time. */
  ring(): boolean {
    const next = [...this.#alarms].toSorted(([, one], [, other]) => one.at - other.at)[0];
    if (next === undefined) return false;
    const [name, { at, input }] = next;
    this.#alarms.delete(name);
    this.now = Math.max(this.now, at);
    this.inbox.push(input);
    this.#turn();
    return true;
  }
  tell(input: Input): void {
    this.inbox.push(input);
    this.#turn();
  }
  /** Others write to a message's stream. */
  async meddle(messageId: string, type: "BounceDeferred" | "MessageCanceled"): Promise<void> {
    const events = await history(this.log, messageId);
    const sent = events.findLast((event) => event.type === "MessageSent") as
      | RecordedEvent<"MessageSent">
      | undefined;
    const { data: request } = events[0] as RecordedEvent<"MessageRequested">;
    const isLate =
      type === "MessageCanceled" && (events.length > 1 || request.send_at === undefined);
    if (isLate || (type === "BounceDeferred" && sent === undefined)) return;
    const { cost, currency } = request;
    const data =
      type === "BounceDeferred"
        ? { message_id: messageId, attempt: sent!.data.attempt, error: failure(false) }
        : { message_id: messageId, message: messageContext(request), cost, currency };
    const id = uuid5(messageId, type, String(events.length));
    const metadata = { partner: "ptn_x" };
    const stream = events[0]!.stream;
    const [outcome] = await this.log.append([
      { stream, expected: events.length - 1, events: [{ id, type, data, metadata }] },
    ]);
    if (outcome!.kind === "invalid") throw new Error(outcome!.message);
  }

  /** Everything goes on until nothing is left to be done. */
  async rest(): Promise<void> {
    this.wild = false;
    for (let count = 0; count < 20_000; count++) {
      if (await this.advance()) continue;
      if (await this.feed(true)) continue;
      if (this.desk.jobs.size > 0 && count % 3 === 0) this.tell({ type: "look over" });
      if (!this.ring()) return;
    }
    throw new Error("it does not come to rest");
  }
}

const failure = (permanent: boolean) => ({
  code: "provider_error",
  class: "provider" as const,
  permanent,
});
