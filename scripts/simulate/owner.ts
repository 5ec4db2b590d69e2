import type { Batch, EventLog } from "@heliograph/log";
import {
  newLogger,
  readSettings,
  realClock,
  type Checkpoint,
  type Reactor,
  type ReactorInstance,
  type ServiceContext,
} from "@heliograph/runtime";
import type { GatewayConfig } from "@heliograph/gateways";
import { directoryDouble, loosely } from "@heliograph/testkit";
import type { Vault } from "@heliograph/vault";
import type { Chance, Ways } from "./chance.ts";
import { masterKey } from "./endpoints.ts";
import { Flights, slowLog } from "./flights.ts";
import type { Kept, Query } from "./kept.ts";

const logger = newLogger("silent");
const settings = readSettings({});
/** For what is in the air when a process is stopped in order. */
const DRAIN_MS = 4_000;

/** A reactor, and what is kept of it. */
export type Player = {
  readonly kept: Kept;
  reactor(ways: Ways): Reactor;
  /** What it reads of the log piece by piece takes its time too. */
  readonly scans?: boolean;
  /** The way to the keys of personal data, for an owner. */
  vault?(ways: Ways): Promise<Vault>;
  readonly gateways?: readonly GatewayConfig[];
  /** Its position moves also where nothing is for it, as that of a projector does. */
  readonly passesOver?: boolean;
  /** It is handed nothing that does not concern it, as its runtime does it. */
  readonly keepsToItsOwn?: boolean;
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
  readonly #flights: Flights;
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
    this.#flights = new Flights(chance);
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
    const inFlight: Ways["inFlight"] = (act) => owner.inFlight(act);
    const pool = { query, connect: async () => ({ query, release: () => undefined }) };
    const context: ServiceContext = loosely({
      environment: "live",
      log: slowLog(log, inFlight, player.scans),
      pool,
      projectionPool: pool,
      settings,
      masterKey,
      vault: (await player.vault?.(owner)) ?? {
        openJson: async (_: string, texts: readonly string[]) => texts,
      },
      clock: realClock,
      logger,
      directory: directoryDouble({
        partner: (name) => ({ name, currency: "USD", status: "active" }),
        knows: async () => true,
        gateways: (_, channel) =>
          (player.gateways ?? []).filter(
            (each) => channel === undefined || each.channel === channel,
          ),
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
  inFlight<Result>(act: () => Promise<Result>): Promise<Result> {
    // While it starts nobody else is served.
    return this.#instance === undefined ? act() : this.#flights.take(act);
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
    const passes = this.#player.passesOver === true && position > this.#fed;
    if (events.length === 0 && !passes) return false;
    this.#player.note?.(events);
    this.#fed = position;
    this.#busy = true;
    const batch = { events: this.#own(events), position, head, caughtUp: position >= head };
    void this.#instance!.handle(batch)
      .then(() => (this.#handled = position), this.#fail)
      .finally(() => (this.#busy = false));
    return true;
  }
  #own(events: Batch["events"]): Batch["events"] {
    const { concerns } = this.#reactor;
    if (concerns === undefined || this.#player.keepsToItsOwn !== true) return events;
    return events.filter((event) => concerns(event));
  }
  /** One thing that is under way is done, or answered; false when nothing is. */
  advance(): Promise<boolean> {
    return this.#flights.advance();
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
    this.#flights.end();
    this.isBroken = true;
    this.#ended.abort();
    // Its timers end with it; nothing that it does reaches anybody.
    if (!wasStopping) void this.#instance!.stop(0).catch(() => undefined);
  }
}
