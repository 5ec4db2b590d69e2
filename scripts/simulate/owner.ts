import { LogUnavailable, type EventLog } from "@heliograph/log";
import {
  newLogger,
  readSettings,
  realClock,
  type Checkpoint,
  type Reactor,
  type ReactorInstance,
  type ServiceContext,
} from "@heliograph/runtime";
import { directoryDouble, loosely } from "@heliograph/testkit";
import type { Chance, Ways } from "./chance.ts";
import { masterKey } from "./endpoints.ts";
import type { Kept, Query } from "./kept.ts";

const logger = newLogger("silent");
const settings = readSettings({});
/** For what is in the air when a process is stopped in order. */
const DRAIN_MS = 4_000;

/** A reactor, and what is kept of it. */
export type Player = {
  readonly kept: Kept;
  reactor(ways: Ways): Reactor;
  /** Sees what is handed over before its owner does. */
  note?(events: Awaited<ReturnType<EventLog["readAll"]>>["events"]): void;
};

/** A reactor as one process runs it: it is the real one, but what it reads, appends and commits happens when it is let happen, and is answered some time later. */
export class Owner implements Ways {
  readonly #player: Player;
  readonly #reactor: Reactor;
  readonly #kept: Kept;
  readonly #log: EventLog;
  readonly #chance: Chance;
  readonly #epoch: number;
  readonly #ended = new AbortController();
  #instance: ReactorInstance | undefined;
  #flights: (() => Promise<void>)[] = [];
  #landed: (() => void)[] = [];
  #fed: bigint;
  #handled: bigint;
  #busy = false;
  #life: "runs" | "stops" | "dead" = "runs";
  /** It has to be started anew, from its checkpoint. */
  isBroken = false;

  private constructor(player: Player, log: EventLog, chance: Chance) {
    const { kept } = player;
    this.#player = player;
    this.#kept = kept;
    this.#log = log;
    this.#chance = chance;
    this.#epoch = ++kept.epoch;
    this.#fed = this.#handled = kept.position;
    this.#reactor = player.reactor(this);
  }

  /** A new owner: whoever was one before is none any more, whether it knows or not. */
  static async start(player: Player, log: EventLog, chance: Chance): Promise<Owner> {
    const owner = new Owner(player, log, chance);
    const { kept } = player;
    const query = (given: string | Query, values?: unknown[]) => {
      const whole = typeof given === "string" ? { text: given, ...(values && { values }) } : given;
      return owner.inFlight(() => kept.query(whole));
    };
    const context: ServiceContext = loosely({
      environment: "live",
      log: owner.#slowLog(),
      pool: { query },
      projectionPool: { query },
      settings,
      masterKey,
      vault: { openJson: async (_: string, texts: readonly string[]) => texts },
      clock: realClock,
      logger,
      directory: directoryDouble({
        partner: (name) => ({ name, currency: "USD", status: "active" }),
        knows: async () => true,
      }),
    });
    owner.#instance = await owner.#reactor.start({
      context,
      schema: owner.#reactor.schema,
      epoch: owner.#epoch,
      checkpoint: owner.#checkpoint(),
      logger,
      signal: owner.#ended.signal,
      stopping: owner.#ended.signal,
      fail: owner.#fail,
    });
    return owner;
  }

  isPresent = (): boolean => this.#epoch === this.#kept.epoch;
  isDead = (): boolean => this.#life === "dead";
  handled = (): bigint => this.#handled;
  fed = (): bigint => this.#fed;

  readonly #fail = (): void => {
    this.isBroken = true;
  };
  #checkpoint(): Checkpoint {
    const kept = this.#kept;
    let position = kept.position;
    let last: Promise<unknown> = Promise.resolve();
    const commit: Checkpoint["commit"] = async (given, parts = []) => {
      const to = given > position ? given : position;
      await this.inFlight(async () => kept.commit(this.#epoch, to, parts));
      position = to;
    };
    return {
      get position() {
        return position;
      },
      dealt: () => undefined,
      // One after the other.
      commit(to, parts) {
        const turn = last.then(() => commit(to, parts));
        last = turn.catch(() => undefined);
        return turn;
      },
    };
  }
  #slowLog(): EventLog {
    const log = this.#log;
    const slow: Partial<EventLog> = {
      append: (appends) => this.inFlight(() => log.append(appends)),
      readStreams: (...args) => this.inFlight(() => log.readStreams(...args)),
      readStream: (...args) => this.inFlight(() => log.readStream(...args)),
    };
    return new Proxy(log, {
      get: (target, name) => Reflect.get(name in slow ? slow : target, name),
    });
  }

  inFlight<Result>(act: () => Promise<Result>): Promise<Result> {
    // While it starts nobody else is served.
    if (this.#instance === undefined) return act();
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    if (this.isDead()) return promise;
    const lost = (outcomeUnknown: boolean): void =>
      reject(new LogUnavailable("it is away", { outcomeUnknown }));
    this.#flights.push(async () => {
      if (this.#chance.goesWrong(0.01)) return void this.#landed.push(() => lost(false));
      const outcome = await act().then(
        (result) => () => resolve(result),
        (error: unknown) => () => reject(error),
      );
      this.#landed.push(this.#chance.goesWrong(0.01) ? () => lost(true) : outcome);
    });
    return promise;
  }

  /** Hands over what the log has, some events of it or all; false when there is nothing. */
  async feed(all: boolean): Promise<boolean> {
    if (this.#busy || this.isBroken || this.#life !== "runs") return false;
    const limit = all ? 500 : 1 + Math.floor(this.#chance.draw() * 8);
    const { types } = this.#reactor;
    const { events, position, head } = await this.#log.readAll({
      after: this.#fed,
      limit,
      ...(types.length > 0 && { types }),
    });
    if (events.length === 0) return false;
    this.#player.note?.(events);
    this.#fed = position;
    this.#busy = true;
    const batch = { events, position, head, caughtUp: position >= head };
    void this.#instance!.handle(batch)
      .then(() => (this.#handled = position), this.#fail)
      .finally(() => (this.#busy = false));
    return true;
  }
  /** One thing that is under way is done, or answered; false when nothing is. */
  async advance(): Promise<boolean> {
    const count = this.#flights.length + this.#landed.length;
    if (count === 0) return false;
    const index = Math.floor(this.#chance.draw() * count);
    if (index < this.#flights.length) await this.#flights.splice(index, 1)[0]!();
    else this.#landed.splice(index - this.#flights.length, 1)[0]!();
    return true;
  }
  get isStopping(): boolean {
    return this.#life === "stops";
  }
  /** As at SIGTERM: what is in the air ends, the rest is put on record, and then it has to be started anew. */
  stop(): void {
    if (this.#life !== "runs" || this.isBroken) return;
    this.#life = "stops";
    void this.#instance!.stop(DRAIN_MS).then(this.#fail, this.#fail);
  }
  /** Killed: what it began is done or not, and nobody hears of it. */
  die(): void {
    if (this.isDead()) return;
    const wasStopping = this.isStopping;
    this.#life = "dead";
    this.#flights = [];
    this.#landed = [];
    this.isBroken = true;
    this.#ended.abort();
    // Its timers end with it; nothing that it does reaches anybody.
    if (!wasStopping) void this.#instance!.stop(0).catch(() => undefined);
  }
}
