import type { ProviderAnswer } from "@heliograph/gateways";
import type { EventLog, NewEvent } from "@heliograph/log";
import type { PartnerClock } from "@heliograph/runtime";
import type { Committer } from "./committer.ts";
import type { Connections } from "./connections.ts";
import { accepted, attemptFailed, exhausted, uncertain, type Call } from "./events.ts";
import { alternatives } from "./routing.ts";
import type { Recorder } from "./recorder.ts";
import { decideRetry } from "./retry.ts";
import type { TimerKind } from "./decide.ts";
import { momentMs, stamped, type Moment } from "./moment.ts";
import type { Timer } from "./store.ts";
import { withoutAddresses } from "./without-addresses.ts";

/** A call that has come to something. */
export type Target = {
  readonly messageId: string;
  readonly stream: string;
  readonly call: Call;
  readonly moment: Moment;
  /** Number of this outcome among the message's. */
  readonly number: number;
  /** The outcome is in the log. */
  readonly done: () => void;
  /** The log will never take it: the call stays announced, and the message stands still. */
  readonly refused: (reason: string) => void;
};

export type Outcomes = { settle(target: Target, result: ProviderAnswer): void };

type Options = {
  readonly log: EventLog;
  readonly recorder: Recorder;
  readonly committer: Committer;
  readonly connections: Connections;
  readonly clock: PartnerClock;
  readonly random: () => number;
  readonly scale: number;
  /** Proves that this owner still is one; false when it is not. */
  readonly prove: () => Promise<boolean>;
  readonly broken: (error: unknown) => void;
};

const timerOf = (
  { moment: { partner } }: Target,
  { at, kind }: { readonly at: number; readonly kind: TimerKind },
): Timer => ({ dueAt: at, kind, partner });

/** Turns the results of calls into events, and what must follow into timers. */
export function createOutcomes({
  log,
  recorder,
  committer,
  connections,
  clock,
  random,
  scale,
  prove,
  broken,
}: Options): Outcomes {
  function settle(target: Target, result: ProviderAnswer): void {
    const { call } = target;
    const { state, causation } = call;
    const now = (): number => momentMs(clock, target.moment);
    switch (result.type) {
      case "accepted":
        return record(target, [accepted(call, result)], undefined);
      case "rejected": {
        const error = withoutAddresses(result.error, state.request.to);
        const at = { now: now(), random: random(), scale };
        const decision = decideRetry(error, state.spent, others(call), at);
        const events = [attemptFailed(call, error, decision)];
        switch (decision.next) {
          case "give_up":
            events.push(exhausted(state, call.attempt, error, decision.reason, events[0]!.id));
            return record(target, events, undefined);
          case "failover":
            return record(target, events, { at: now(), kind: "retry" });
          case "retry": {
            // When the validity ends before, that is when to look again: the message expires then, not later.
            const expiresAt = state.sent ? decision.retryAt : Date.parse(state.request.expires_at);
            return record(target, events, {
              at: Math.min(decision.retryAt, expiresAt),
              kind: "retry",
            });
          }
          default:
            return decision satisfies never;
        }
      }
      case "uncertain": {
        const policy = connections.policyOf(call.gateway);
        const event = uncertain(
          state,
          { attempt: call.attempt, gateway: call.gateway, cause: result.cause, policy },
          causation,
          now(),
        );
        return record(target, [event], { at: now(), kind: "uncertain" });
      }
      default:
        return result satisfies never;
    }
  }

  /** Healthy gateways that might have the message and have not failed it since its last wait, this one apart. */
  const others = ({ state, gateway, choice }: Call): number =>
    alternatives(connections.forChannel(state.request.channel), choice, gateway).filter(
      ({ name, unhealthy }) => unhealthy === undefined && !state.failed.includes(name),
    ).length;

  function record(
    target: Target,
    events: readonly NewEvent[],
    next: { readonly at: number; readonly kind: TimerKind } | undefined,
    expected = target.call.state.revision,
  ): void {
    recorder.push({
      append: { stream: target.stream, expected, events: stamped(clock, target.moment, events) },
      recorded() {
        target.done();
        if (next !== undefined) {
          committer.timer(target.messageId, timerOf(target, next));
          committer.pump();
        }
      },
      conflicted: () => void conflicted(target, events, next).catch(broken),
      refused: target.refused,
    });
  }

  /** Somebody else has written to the stream. What a provider said is a fact and is recorded after it, unless a successor speaks for this owner. */
  async function conflicted(
    target: Target,
    events: readonly NewEvent[],
    next: { readonly at: number; readonly kind: TimerKind } | undefined,
  ): Promise<void> {
    if (!(await prove())) return;
    const stored = await log.readStream(target.stream);
    const revision = stored.at(-1)?.revision ?? -1;
    if (stored.some(({ id }) => id === events[0]!.id)) {
      target.done();
      if (next !== undefined) committer.timer(target.messageId, timerOf(target, next));
      committer.pump();
    } else record(target, events, next, revision);
  }

  return { settle };
}
