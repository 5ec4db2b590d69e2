import { streamOf } from "@heliograph/contracts";
import { type EventLog, ofType } from "@heliograph/log";
import { createAlarm, isMachinery, type Alarm, watchSetBack } from "@heliograph/runtime";
import type { Logger } from "pino";
import { ask, type Caller } from "./caller.ts";
import type { Verdict } from "./clearance.ts";
import type { At, Case, Desk, Effect, Input, OutcomeEntry, Reader } from "./desk.ts";
import type { GatewayUse } from "./gateway-pool.ts";
import type { Inbox } from "./inbox.ts";
import type { LookedAt } from "./job.ts";
import { haltedMessages } from "./metrics.ts";
import type { Owner } from "./owner.ts";
import type { Recorder } from "./recorder.ts";
import type { State } from "./state.ts";
import { step } from "./step.ts";
import type { Store } from "./store.ts";

/** Streams read in one query. */
const MOST_STREAMS = 500;

type Tools = {
  readonly environment: string;
  readonly log: EventLog;
  readonly store: Store;
  readonly owner: Owner;
  readonly inbox: Inbox;
  readonly recorder: Recorder;
  readonly caller: Caller;
  readonly gateways: GatewayUse;
  readonly clearance: (state: State) => Verdict | Promise<Verdict>;
  readonly logger: Logger;
  readonly now: () => number;
};

/** The one loop: what has come up is handed to `step`, and what it says is done, until there is nothing left. It ends with the process, for late answers give places back. */
export async function run(
  desk: Desk,
  at: Omit<At, "now">,
  executor: Executor,
  { inbox, now }: Pick<Tools, "inbox" | "now">,
): Promise<never> {
  const pause: readonly Input[] = [{ type: "pause" }];
  for (;;) {
    await inbox.filled();
    const moment = { ...at, now: now() };
    let rests: boolean;
    do {
      const inputs = inbox.isEmpty ? pause : inbox.take();
      for (const effect of step(desk, inputs, moment)) executor.do(effect);
      rests = inputs === pause && inbox.isEmpty;
    } while (!rests);
  }
}

/** Does what `step` says, and hands in what comes of it. */
export class Executor {
  readonly #tools: Tools;
  readonly #rows: Alarm;
  readonly #linger: Alarm;
  readonly #setBackMs: () => number;
  /** When it was last looked at, by the clock that nobody sets; never, as long as rows may be of an owner before. */
  #lookedAt: number | undefined;
  #batch: PromiseWithResolvers<void> | undefined;

  constructor(tools: Tools) {
    const { inbox, now } = tools;
    this.#tools = tools;
    this.#rows = createAlarm(() => inbox.put({ type: "rows due" }), now);
    this.#linger = createAlarm(() => inbox.put({ type: "lingered" }), now);
    this.#setBackMs = watchSetBack(now);
  }

  /** Hands over a batch; resolves when it is taken up. */
  handle(batch: Pick<Extract<Input, { type: "batch" }>, "events" | "position">): Promise<void> {
    const { events, position } = batch;
    this.#batch = Promise.withResolvers();
    this.#tools.inbox.put({ type: "batch", events, position });
    return this.#batch.promise;
  }
  close(): void {
    this.#rows.cancel();
    this.#linger.cancel();
  }

  do(effect: Effect): void {
    try {
      this.#do(effect);
    } catch (error) {
      this.#tools.owner.broken(error, true);
    }
  }

  #do(effect: Effect): void {
    const { owner, recorder, caller, gateways, logger } = this.#tools;
    switch (effect.type) {
      case "read":
        return void this.#read(effect.jobs, effect.for);
      case "clear":
        return this.#clear(effect.of);
      case "ask":
        return this.#ask(effect);
      case "seek receipts":
        return this.#seekReceipts(effect.of);
      case "append":
        return recorder.push(effect.entry);
      case "read again":
        return void this.#readAgain(effect.entry);
      case "call":
        return void caller.call(effect.job);
      case "commit":
        return void owner.commit(effect.commit, effect.parts);
      case "wake":
        return (effect.for === "rows" ? this.#rows : this.#linger).at(effect.at);
      case "take rows":
        return void this.#takeRows(effect);
      case "batch over":
        return this.#batchOver(effect);
      case "release":
        return gateways.connections.released(effect.connection);
      case "give place": {
        const { lane, inbox } = effect.waiter;
        return inbox.put({ type: "place", lane, connection: effect.connection });
      }
      case "took room":
        if (effect.some) gateways.took();
        return effect.nextAt === undefined ? undefined : gateways.roomAt(effect.nextAt);
      case "halted":
        haltedMessages.inc({ environment: this.#tools.environment });
        return logger.error(effect.about, effect.what);
      case "warn":
        return logger.warn(effect.about, effect.what);
      case "break":
        return owner.broken(effect.error, true);
      case "wake held":
        return void this.#wakeHeld();
      case "over":
        return owner.over(effect.what);
      default:
        return effect satisfies never;
    }
  }

  #batchOver(effect: Extract<Effect, { type: "batch over" }>): void {
    if ("error" in effect) this.#batch?.reject(effect.error);
    else this.#batch?.resolve();
  }

  async #read(jobs: readonly LookedAt[], reader: Reader): Promise<void> {
    const { log, inbox, owner } = this.#tools;
    try {
      for (let from = 0; from < jobs.length; from += MOST_STREAMS) {
        const part = jobs.slice(from, from + MOST_STREAMS);
        const streams = await log.readStreams(part.map(({ look: { stream } }) => stream));
        inbox.put({ type: "streams", jobs: part, streams });
      }
      inbox.put({ type: "all read", for: reader });
    } catch (error) {
      if (reader === "feed") this.#batch?.reject(error);
      else owner.broken(error);
    }
  }

  /** At once where that can be: most messages go in the same turn. */
  #clear(of: Case): void {
    const { clearance, inbox } = this.#tools;
    try {
      const verdict = clearance(of.state);
      if (!(verdict instanceof Promise)) return inbox.put({ type: "cleared", of, verdict });
      this.#orUnclear(
        of,
        verdict.then((found) => inbox.put({ type: "cleared", of, verdict: found })),
      );
    } catch (error) {
      inbox.put({ type: "unclear", job: of.job, error });
    }
  }

  #ask({ of, gateway, attemptId }: Extract<Effect, { type: "ask" }>): void {
    const { gateways, inbox, logger } = this.#tools;
    const connection = gateways.connections.byName(gateway);
    const asked = ask(connection, gateway, attemptId, logger);
    this.#orUnclear(
      of,
      asked.then((answer) => inbox.put({ type: "asked", of, answer })),
    );
  }

  #seekReceipts(of: Case): void {
    const { log, inbox } = this.#tools;
    const read = log.readStream(streamOf("receipts", of.job.messageId));
    this.#orUnclear(
      of,
      // That there is one tells that the provider took it, whatever it is read as later.
      read.then((events) =>
        inbox.put({ type: "receipts", of, receipts: events.filter(ofType("ReceiptReceived")) }),
      ),
    );
  }

  /** What cannot be understood of one message stops that message; broken machinery stops all. */
  #orUnclear({ job }: Case, work: Promise<void>): void {
    const { owner, inbox } = this.#tools;
    work.catch((error: unknown) =>
      isMachinery(error) ? owner.broken(error) : inbox.put({ type: "unclear", job, error }),
    );
  }

  async #readAgain(entry: OutcomeEntry): Promise<void> {
    const { log, inbox, owner } = this.#tools;
    try {
      const stored = await log.readStream(entry.append.stream);
      // In this order: what a successor has written since was not read, so the append that follows fails on it.
      if (await owner.prove()) inbox.put({ type: "overtaken", entry, stored });
    } catch (error) {
      owner.broken(error);
    }
  }

  async #wakeHeld(): Promise<void> {
    const { store, inbox, owner, now } = this.#tools;
    try {
      await store.wakeHeld(now());
      inbox.put({ type: "rows due" });
    } catch (error) {
      owner.broken(error);
    }
  }

  /** The clock may have been set back since the rows were written. */
  async #moveRows(): Promise<void> {
    const { store, now } = this.#tools;
    const [tick, before, byMs] = [performance.now(), this.#lookedAt, this.#setBackMs()];
    this.#lookedAt = tick;
    if (before === undefined) await store.setBack(now());
    // A second more, since the two clocks are not read at once.
    else if (byMs > 0)
      await store.setBack(now(), { byMs, lookedAt: now() - (tick - before) - 1_000 });
  }

  async #takeRows({
    of,
    limit,
    moved,
    clocks,
  }: Extract<Effect, { type: "take rows" }>): Promise<void> {
    const { store, inbox, owner, now } = this.#tools;
    try {
      await this.#moveRows();
      const due = await store.takeDue(now(), limit, moved);
      const rows = clocks.length === 0 ? due : [...due, ...(await store.takeMoved(clocks, limit))];
      let next = Number.POSITIVE_INFINITY;
      if (rows.length < limit) {
        next = (await store.nextDue(moved)) ?? next;
        if (clocks.length > 0) next = Math.min(next, (await store.nextMoved(clocks)) ?? next);
      }
      inbox.put({ type: "taken", of, rows, limit, next });
    } catch (error) {
      owner.broken(error);
    }
  }
}
