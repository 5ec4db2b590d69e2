import { type DayAsk, type DayGrant, gathering, type Verdict } from "@heliograph/runtime";

/** Taken ahead of need: this share of what is left, so that near the end each is counted alone, and never more than so many. A process that is killed loses no more than that. */
const aheadShare = 200;
const mostAhead = 100;
/** A day that is used up is asked about again after this: others may have given back. */
const usedUpMs = 1_000;

export type DayStore = {
  take(asks: readonly DayAsk[]): Promise<ReadonlyMap<string, DayGrant>>;
  look(partner: string, most: number): Promise<DayGrant>;
  giveBack(partner: string, day: string, count: number): Promise<void>;
};

/** What this process has of a partner's day. Times are those of its own clock that never goes back. */
type Day = {
  readonly day: string;
  readonly most: number;
  readonly endsAtMs: number;
  /** Of the day, as the store last said. */
  left: number;
  /** Taken from the store, and not spent. */
  spare: number;
  usedUpUntilMs: number;
};
/** Of a partner; `held` is what it had of the day `of`. */
type Wanted = DayAsk & { readonly held: number; readonly of: Day | undefined };

/** What was taken, and of which day. */
export type DayVerdict = Verdict & { readonly day: string | undefined };
type Ask = { readonly partner: string; readonly most: number; readonly count: number };

/**
 * Counts the messages of a day in UTC, in a row that outlives processes and the database's crash. What a process takes ahead it gives back when it stops; so the sum over processes never
 * exceeds the limit, and falls short of it by what killed processes had taken ahead.
 */
export class DailyLimits {
  readonly #store: DayStore;
  readonly #now: () => number;
  readonly #days = new Map<string, Day>();
  readonly #ask: (ask: Ask) => Promise<DayVerdict>;

  constructor(store: DayStore, now: () => number = () => performance.now()) {
    this.#store = store;
    this.#now = now;
    this.#ask = gathering((asks) => this.#askStore(asks));
  }

  /** Takes as many of `count` as there are. Rejects when the store does not answer: a day is never guessed. */
  take(partner: string, most: number, count: number): DayVerdict | Promise<DayVerdict> {
    const now = this.#now();
    const day = this.#today(partner, most, now);
    if (day !== undefined && day.spare >= count) {
      day.spare -= count;
      return verdictOf(day, now, count, count);
    }
    if (day !== undefined && now < day.usedUpUntilMs && day.spare === 0)
      return verdictOf(day, now, 0, count);
    return this.#ask({ partner, most, count });
  }

  /** What is left. Takes nothing. */
  async look(partner: string, most: number): Promise<Verdict> {
    const now = this.#now();
    const { left, secondsLeft } = await this.#store.look(partner, most);
    const spare = this.#today(partner, most, now)?.spare ?? 0;
    return verdictOf({ left, spare, endsAtMs: now + secondsLeft * 1000 }, now, 0, 0);
  }

  /** Gives back what was taken of a day for messages that were not accepted. Of one that is over nothing is left to give: the next has never counted it. */
  refund(partner: string, most: number, taken: string | undefined, count: number): void {
    const day = this.#today(partner, most, this.#now());
    if (day === undefined || day.day !== taken) return;
    day.spare += count;
    day.usedUpUntilMs = 0;
  }

  async close(): Promise<void> {
    const given = [...this.#days]
      .filter(([, { spare }]) => spare > 0)
      .map(([partner, { day, spare }]) => this.#store.giveBack(partner, day, spare));
    this.#days.clear();
    await Promise.allSettled(given);
  }

  #today(partner: string, most: number, now: number): Day | undefined {
    const day = this.#days.get(partner);
    if (day === undefined) return undefined;
    if (now < day.endsAtMs && day.most === most) return day;
    this.#days.delete(partner);
    // Under another limit nothing is spent that was taken under this one.
    if (now < day.endsAtMs && day.spare > 0)
      this.#store.giveBack(partner, day.day, day.spare).catch(() => undefined);
    return undefined;
  }

  async #askStore(asks: readonly Ask[]): Promise<readonly DayVerdict[]> {
    const sums = new Map<string, { readonly most: number; count: number }>();
    for (const { partner, most, count } of asks) {
      const sum = sums.get(partner);
      if (sum === undefined) sums.set(partner, { most, count });
      else sum.count += count;
    }
    const wanted = [...sums].map(([partner, { most, count }]) => {
      const day = this.#today(partner, most, this.#now());
      const left = day?.left ?? most;
      const ahead = Math.min(mostAhead, Math.floor(left / aheadShare));
      // Set apart meanwhile, so that nobody spends what is counted on here.
      const held = day?.spare ?? 0;
      if (day !== undefined) day.spare = 0;
      return { partner, most, asked: Math.max(0, count - held) + ahead, held, of: day };
    });
    try {
      const granted = await this.#store.take(wanted);
      const now = this.#now();
      for (const each of wanted) this.#note(each, granted.get(each.partner)!, now);
    } catch (error) {
      for (const { held, of } of wanted) if (of !== undefined) of.spare += held;
      throw error;
    }
    const now = this.#now();
    return asks.map(({ partner, most, count }) => {
      const day = this.#today(partner, most, now);
      // Two limits in one statement: one of them has just been changed.
      if (day === undefined) return verdictOf({ left: 0, spare: 0, endsAtMs: now }, now, 0, count);
      const got = Math.min(count, day.spare);
      day.spare -= got;
      return verdictOf(day, now, got, count);
    });
  }

  #note({ partner, most, asked, held, of }: Wanted, got: DayGrant, now: number): void {
    const { granted, left, day, secondsLeft } = got;
    const known = this.#today(partner, most, now);
    const spare = (known?.day === day ? known.spare : 0) + (of?.day === day ? held : 0);
    this.#days.set(partner, {
      day,
      most,
      left,
      spare: spare + granted,
      endsAtMs: now + secondsLeft * 1000,
      usedUpUntilMs: granted < asked ? now + usedUpMs : 0,
    });
  }
}

function verdictOf(
  { day, left, spare, endsAtMs }: Pick<Day, "left" | "spare" | "endsAtMs"> & Partial<Day>,
  now: number,
  granted: number,
  asked: number,
): DayVerdict {
  const seconds = Math.max(1, Math.ceil((endsAtMs - now) / 1000));
  return {
    allowed: granted > 0,
    granted,
    remaining: left + spare,
    resetSeconds: seconds,
    retryAfterSeconds: granted >= asked ? 0 : seconds,
    day,
  };
}
