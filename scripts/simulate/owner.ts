import { LogUnavailable, type EventLog } from "@heliograph/log";
import {
  Fenced,
  newLogger,
  readSettings,
  realClock,
  type Checkpoint,
  type Reactor,
  type ReactorInstance,
  type ServiceContext,
  type WritePart,
} from "@heliograph/runtime";
import { directoryDouble, loosely } from "@heliograph/testkit";

const logger = newLogger("silent");
const settings = readSettings({});

/** What chance decides: the same for the same seed. */
export type Chance = {
  draw(): number;
  oneOf<Item>(items: readonly Item[]): Item;
  /** Never once the storm is over. */
  goesWrong(share: number): boolean;
};

/** What a reactor's database keeps of it, whoever its owner is. */
export class Kept {
  /** Of the present owner. */
  epoch = 0;
  position = 0n;
  /** Rows of delivery's table of receipts that wait. */
  readonly parked = new Map<string, { readonly expiresAt: number; readonly partner: string }>();

  commit(epoch: number, to: bigint, parts: readonly WritePart[]): void {
    if (epoch !== this.epoch) throw new Fenced("an owner");
    for (const { name, values } of parts) this.#apply(name, loosely(values));
    if (to > this.position) this.position = to;
  }
  #apply(name: string, [ids, times, partners]: readonly never[][]): void {
    switch (name) {
      case "parked_add":
        for (const [at, id] of ids!.entries())
          this.parked.set(id, { expiresAt: times![at]!, partner: partners![at]! });
        return;
      case "parked_remove":
        for (const id of ids!) this.parked.delete(id);
        return;
      default:
        throw new Error(name);
    }
  }
  /** The read model of the wallet is empty: holds are then looked up in the log. */
  query(query: string | { readonly text: string }): { readonly rows: readonly object[] } {
    const text = typeof query === "string" ? query : query.text;
    if (!text.includes(".parked")) return { rows: [] };
    return {
      rows: [...this.parked].map(([id, { expiresAt, partner }]) => ({
        message_id: id,
        expires_at: new Date(expiresAt),
        partner,
      })),
    };
  }
}

/** A reactor as one process runs it: it is the real one, but what it reads, appends and commits happens when it is let happen, and is answered some time later. */
export class Owner {
  readonly #reactor: Reactor;
  readonly #kept: Kept;
  readonly #log: EventLog;
  readonly #chance: Chance;
  readonly #epoch: number;
  readonly #ended = new AbortController();
  #instance!: ReactorInstance;
  #flights: (() => Promise<void>)[] = [];
  #landed: (() => void)[] = [];
  #fed: bigint;
  #busy = false;
  /** It has to be started anew, from its checkpoint. */
  isBroken = false;

  private constructor(reactor: Reactor, kept: Kept, log: EventLog, chance: Chance) {
    this.#reactor = reactor;
    this.#kept = kept;
    this.#log = log;
    this.#chance = chance;
    this.#epoch = ++kept.epoch;
    this.#fed = kept.position;
  }

  /** A new owner: whoever was one before is none any more, whether it knows or not. */
  static async start(reactor: Reactor, kept: Kept, log: EventLog, chance: Chance): Promise<Owner> {
    const owner = new Owner(reactor, kept, log, chance);
    const pool = { query: async (query: string) => kept.query(query) };
    const context: ServiceContext = loosely({
      environment: "live",
      log: owner.#slowLog(),
      pool,
      projectionPool: pool,
      settings,
      clock: realClock,
      logger,
      directory: directoryDouble({
        partner: (name) => ({ name, currency: "USD", status: "active" }),
        knows: async () => true,
      }),
    });
    owner.#instance = await reactor.start({
      context,
      schema: reactor.schema,
      epoch: owner.#epoch,
      checkpoint: owner.#checkpoint(),
      logger,
      signal: owner.#ended.signal,
      stopping: owner.#ended.signal,
      fail: owner.#fail,
    });
    return owner;
  }

  readonly #fail = (): void => {
    this.isBroken = true;
  };
  #checkpoint(): Checkpoint {
    return {
      position: this.#kept.position,
      dealt: () => undefined,
      commit: (to, parts = []) =>
        this.#inFlight(async () => this.#kept.commit(this.#epoch, to, parts)),
    };
  }
  #slowLog(): EventLog {
    const log = this.#log;
    const slow: Partial<EventLog> = {
      append: (appends) => this.#inFlight(() => log.append(appends)),
      readStreams: (...args) => this.#inFlight(() => log.readStreams(...args)),
      readStream: (...args) => this.#inFlight(() => log.readStream(...args)),
    };
    return new Proxy(log, {
      get: (target, name) => Reflect.get(name in slow ? slow : target, name),
    });
  }

  /** It may not happen, or nobody may hear of it. */
  #inFlight<Result>(act: () => Promise<Result>): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
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
    if (this.#busy || this.isBroken) return false;
    const limit = all ? 500 : 1 + Math.floor(this.#chance.draw() * 8);
    const { types } = this.#reactor;
    const { events, position, head } = await this.#log.readAll({
      after: this.#fed,
      limit,
      ...(types.length > 0 && { types }),
    });
    if (events.length === 0) return false;
    this.#fed = position;
    this.#busy = true;
    const batch = { events, position, head, caughtUp: position >= head };
    void this.#instance
      .handle(batch)
      .catch(this.#fail)
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
  /** Killed: what it began is done or not, and nobody hears of it. */
  die(): void {
    this.#flights = [];
    this.#landed = [];
    this.isBroken = true;
    this.#ended.abort();
  }
}
