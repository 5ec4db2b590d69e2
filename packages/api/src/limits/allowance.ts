import { type PublicError, accountOf } from "@heliograph/contracts";
import type { Limit, Limiter, Verdict } from "@heliograph/runtime";
import type { DailyLimits, DayVerdict } from "./daily-limits.ts";
import {
  dayPolicy,
  described,
  limitsOf,
  overLimit,
  policiesOf,
  policyHeaders,
  type Limited,
  type Limits,
  type Policy,
} from "./policies.ts";

/** What counts in one environment. */
export type Counters = { readonly rates: Limiter; readonly days: DailyLimits };

/** Goes on at once where nothing has to be waited for: a promise for each request would be felt. */
const after = <Value, Result>(
  value: Value | Promise<Value>,
  next: (value: Value) => Result,
): Result | Promise<Result> => (value instanceof Promise ? value.then(next) : next(value));

/** What one call takes from its partner's limits, and what the headers of its answer say of them. */
export class Allowance {
  readonly #counters: Counters;
  readonly #name: string;
  readonly #limits: Limits;
  #requests: Verdict | undefined;
  #messages: Verdict | undefined;
  #day: DayVerdict | undefined;
  /** Something was taken of two days: then nothing goes back to either. */
  #overMidnight = false;
  /** Taken from the rate of requests. */
  #charged = 0;

  constructor(
    counters: Counters,
    { partner }: { readonly partner: Limited & { readonly partner_id: string } },
  ) {
    this.#counters = counters;
    this.#name = accountOf(partner.partner_id);
    this.#limits = limitsOf(partner);
  }

  /** Takes the request itself. Throws `rate_limited`. */
  enter(): void | Promise<void> {
    const { requests } = this.#limits;
    return after(this.#counters.rates.take(this.#name, requests, 1), (verdict) =>
      this.#took(verdict, 1),
    );
  }

  /** Charges the rate of requests for what one request carries beyond itself (the items of a batch). Throws `rate_limited`. */
  charge(cost: number): void | Promise<void> {
    const { requests } = this.#limits;
    return after(this.#counters.rates.charge(this.#name, requests, cost), (verdict) =>
      this.#took(verdict, cost),
    );
  }

  #took(verdict: Verdict, count: number): void {
    this.#requests = verdict;
    const { requests } = this.#limits;
    if (!verdict.allowed)
      throw overLimit("requests", described(requests, "requests"), verdict.retryAfterSeconds);
    this.#charged += count;
  }

  /** The request was not done, for no fault of the caller's: it is not charged. */
  giveBackRequest(): void {
    if (this.#charged > 0)
      this.#counters.rates.refund(this.#name, this.#limits.requests, this.#charged);
    this.#charged = 0;
  }

  /** Whether messages are counted at all. */
  get countsMessages(): boolean {
    const { messages, day, recipient } = this.#limits;
    return messages !== undefined || day !== undefined || recipient !== undefined;
  }
  get countsRecipients(): boolean {
    return this.#limits.recipient !== undefined;
  }

  /**
   * Takes messages that are about to be accepted, each to the recipient that its name stands for (empty where `countsRecipients` is false): undefined for those that may be, or
   * why not. What a refused one would have taken is not taken.
   */
  async messages(recipients: readonly string[]): Promise<readonly (PublicError | undefined)[]> {
    const { messages, day, recipient } = this.#limits;
    const { rates } = this.#counters;
    const refusals: (PublicError | undefined)[] = recipients.map(() => undefined);
    const open = (): number[] => [...refusals.keys()].filter((at) => refusals[at] === undefined);
    if (messages !== undefined) {
      const verdict = await rates.take(this.#rateName, messages, recipients.length);
      this.#messages = verdict;
      const why = described(messages, "messages");
      for (let at = verdict.granted; at < refusals.length; at++)
        refusals[at] = overLimit("messages", why, verdict.retryAfterSeconds);
    }
    if (recipient !== undefined) {
      const asked = open();
      const verdicts = await Promise.all(
        asked.map(async (at) => rates.take(this.#to(recipients[at]!), recipient, 1)),
      );
      for (const [index, at] of asked.entries())
        if (!verdicts[index]!.allowed) refusals[at] = overRecipient(recipient, verdicts[index]!);
    }
    if (day !== undefined) {
      const asked = open();
      const verdict = asked.length === 0 ? undefined : await this.#takeDay(day, asked.length);
      if (verdict !== undefined && this.#day !== undefined)
        this.#overMidnight ||= verdict.day !== this.#day.day;
      this.#day = verdict ?? this.#day;
      for (const at of asked.slice(verdict?.granted ?? 0)) {
        refusals[at] = overLimit(
          "day",
          `More than ${day} messages in a day.`,
          verdict!.retryAfterSeconds,
        );
        if (recipient !== undefined) rates.refund(this.#to(recipients[at]!), recipient, 1);
      }
    }
    if (messages !== undefined)
      this.#refundRate(messages, Math.min(recipients.length, this.#messages!.granted), open());
    return refusals;
  }

  async #takeDay(most: number, count: number): Promise<DayVerdict> {
    return this.#counters.days.take(this.#name, most, count);
  }

  #refundRate(limit: Limit, taken: number, used: readonly number[]): void {
    const unused = taken - used.length;
    if (unused > 0) this.#counters.rates.refund(this.#rateName, limit, unused);
  }

  /** Gives back what was taken for messages that were not accepted, or had been accepted before. */
  giveBackMessages(recipients: readonly string[]): void {
    const { messages, day, recipient } = this.#limits;
    const { rates, days } = this.#counters;
    if (messages !== undefined) rates.refund(this.#rateName, messages, recipients.length);
    if (day !== undefined && !this.#overMidnight)
      days.refund(this.#name, day, this.#day?.day, recipients.length);
    if (recipient !== undefined)
      for (const each of recipients) rates.refund(this.#to(each), recipient, 1);
  }

  /** Every policy and what is left of it now. */
  async look(): Promise<readonly Policy[]> {
    const { requests, messages, day } = this.#limits;
    const { rates, days } = this.#counters;
    const [left, leftMessages, leftDay] = await Promise.all([
      rates.look(this.#name, requests),
      messages && rates.look(this.#rateName, messages),
      day === undefined ? undefined : days.look(this.#name, day),
    ]);
    return [
      ...policiesOf("requests", requests, left),
      ...(messages ? policiesOf("messages", messages, leftMessages!) : []),
      ...(leftDay ? [dayPolicy(day!, leftDay)] : []),
    ];
  }

  /** Of those policies that the call has met. */
  get headers(): readonly string[] {
    const { requests, messages, day } = this.#limits;
    if (this.#requests === undefined) return [];
    return policyHeaders([
      ...policiesOf("requests", requests, this.#requests),
      ...(this.#messages ? policiesOf("messages", messages!, this.#messages) : []),
      ...(this.#day ? [dayPolicy(day!, this.#day)] : []),
    ]);
  }

  get #rateName(): string {
    return `${this.#name} messages`;
  }
  #to(recipient: string): string {
    return `${this.#name} to ${recipient}`;
  }
}

const overRecipient = (limit: Limit, { retryAfterSeconds }: Verdict): PublicError =>
  overLimit("recipient", described(limit, "messages to one recipient"), retryAfterSeconds);
