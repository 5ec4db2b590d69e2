import { LogUnavailable, type EventLog } from "@heliograph/log";
import type { Chance } from "./chance.ts";

/** What some process has under way: it is done when it is let happen, and answered some time later, or never. */
export class Flights {
  readonly #chance: Chance;
  #flights: (() => Promise<void>)[] = [];
  #landed: (() => void)[] = [];
  #isOver = false;

  constructor(chance: Chance) {
    this.#chance = chance;
  }
  get areUnderWay(): boolean {
    return this.#flights.length + this.#landed.length > 0;
  }

  take<Result>(act: () => Promise<Result>): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    if (this.#isOver) return promise;
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
  /** One thing that is under way is done, or answered; false when nothing is. */
  async advance(): Promise<boolean> {
    const count = this.#flights.length + this.#landed.length;
    if (count === 0) return false;
    const index = Math.floor(this.#chance.draw() * count);
    if (index < this.#flights.length) await this.#flights.splice(index, 1)[0]!();
    else this.#landed.splice(index - this.#flights.length, 1)[0]!();
    return true;
  }
  /** What began is done or not, and nobody hears of it. */
  end(): void {
    this.#isOver = true;
    this.#flights = [];
    this.#landed = [];
  }
}

type InFlight = <Result>(act: () => Promise<Result>) => Promise<Result>;

/** A log whose appends and reads of streams happen when they are let happen; `scans`: and those that read a stream piece by piece. */
export function slowLog(log: EventLog, inFlight: InFlight, scans = false): EventLog {
  const slow = {
    append: (appends: Parameters<EventLog["append"]>[0]) => inFlight(() => log.append(appends)),
    readStreams: (...args: Parameters<EventLog["readStreams"]>) =>
      inFlight(() => log.readStreams(...args)),
    readStream: (...args: Parameters<EventLog["readStream"]>) =>
      inFlight(() => log.readStream(...args)),
    ...(scans && {
      forPartner: () => whole,
      async *scanStream(...args: Parameters<EventLog["scanStream"]>) {
        yield* await inFlight(async () => Array.fromAsync(log.scanStream(...args)));
      },
    }),
  };
  const whole: EventLog = new Proxy(log, {
    get: (target, name) => Reflect.get(name in slow ? slow : target, name),
  });
  return whole;
}
