import { Process } from "./sim-process.ts";
import { World } from "./sim-world.ts";

const types = [
  "MessageRequested",
  "FundsHeld",
  "BounceDeferred",
  "FailoverStarted",
  "MessageCanceled",
] as const;
const HOUR_MS = 3_600_000;
/** Longer than an owner may rely on what it knows. */
const AWAY_MS = 6_000;

/** The log, the tables and the providers, one process that dispatches, and those that did before and may not know that they do not any more. */
export class Sim extends World {
  process!: Process;
  readonly others: Process[] = [];

  /** A new owner. `before`: what becomes of the one that there was. */
  async start(before: "dies" | "goes on" | "was away and goes on", skewed = false): Promise<void> {
    if (before !== "dies") this.others.push(this.process);
    // The first one follows nobody.
    else (this.process as Process | undefined)?.leave();
    if (before === "was away and goes on") this.now += AWAY_MS;
    const skewMs = skewed ? this.oneOf([-HOUR_MS, 0, HOUR_MS]) : 0;
    this.process = await Process.start(this, skewMs);
  }
  /** Nobody follows anything any more. */
  end(): void {
    for (const process of this.#all) process.leave();
  }
  get #all(): readonly Process[] {
    return [this.process, ...this.others];
  }

  /** Hands over what the feed has, some events of it or all. */
  async feed(process: Process, all = false): Promise<boolean> {
    if (!process.takesFeed || process.life !== "runs") return false;
    const limit = all ? 100 : 1 + Math.floor(this.draw() * 6);
    const { events } = await this.log.readAll({ after: process.fed, limit, types });
    const last = events.at(-1);
    if (last === undefined) return false;
    process.fed = last.position;
    process.takesFeed = false;
    process.tell({ type: "batch", events, position: last.position });
    return true;
  }
  /** An event that the feed brings once more, as an operator does with one that was set aside. */
  async repeatEvent({ process } = this): Promise<void> {
    const { events } = await this.log.readAll({ after: 0n, limit: 100, types: types.slice(1) });
    const known = events.filter(({ position }) => position <= process.fed);
    if (!process.takesFeed || process.life !== "runs" || known.length === 0) return;
    process.takesFeed = false;
    process.tell({ type: "batch", events: [this.oneOf(known)], position: process.fed });
  }
  anyone(): Process {
    return this.oneOf(this.#all);
  }

  /** The next alarm of all rings, at its time. */
  ring(): boolean {
    const nextAt = Math.min(...this.#all.map(({ nextAlarm }) => nextAlarm));
    if (nextAt === Number.POSITIVE_INFINITY) return false;
    this.now = Math.max(this.now, nextAt);
    for (const process of this.#all) if (process.nextAlarm <= this.now) process.ring();
    return true;
  }

  /** Everything goes on until nothing is left to be done. */
  async rest(): Promise<void> {
    this.wild = false;
    for (let count = 0; count < 20_000; count++) {
      if (this.process.isOver) await this.start("dies");
      let some = false;
      for (const process of this.#all) some = (await process.advance()) || some;
      if (this.#all.some(({ clears }) => clears)) await new Promise(setImmediate);
      if (some || (await this.feed(this.process, true))) continue;
      if (this.process.desk.jobs.size > 0 && count % 3 === 0)
        this.process.tell({ type: "look over" });
      if (!this.ring()) return;
    }
    throw new Error("it does not come to rest");
  }

  /** Places at gateways that nobody has given back. */
  get placesLeft(): number {
    return this.#all
      .flatMap(({ connections }) => connections.all)
      .reduce((sum, { open, active }) => sum + open + active, 0);
  }
}
