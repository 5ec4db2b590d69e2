import type { EventLog } from "@heliograph/log";
import { Gauge, Counter } from "prom-client";
import type { Unit } from "./source.ts";
import type { Consumer } from "./types.ts";

/** What a consumer shows of itself. Mutable: its loop writes, the heartbeat and `/metrics` read. */
export type ConsumerStatus = {
  /** Or `platform`. */
  readonly environment: string;
  readonly consumer: Consumer;
  /** The consumer's name, with the shard's number where it is one of several. */
  readonly name: string;
  /** One of several: its head is its own last event. */
  readonly sharded: boolean;
  position: bigint;
  head: bigint;
  handled: number;
  /** `waiting` for another copy to give its lease up; `cut_off` when the database does not even answer that it is taken. */
  state: "starting" | "waiting" | "cut_off" | "running" | "rebuilding" | "backing_off" | "stopped";
  lastError: string | undefined;
  lastErrorAt: number;
  /** Whether that was the machinery's fault, which passes, and not one that waiting does not mend. */
  lastErrorPasses: boolean;
  behindSince: number | undefined;
  /** Until when it is behind because it rests, or has just rested, and not because there is too much; by the clock that nobody sets. */
  restsUntil: number;
  rate: number;
};

export const newStatus = (environment: string, unit: Unit): ConsumerStatus => ({
  environment,
  consumer: unit.consumer,
  name: unit.name,
  sharded: unit.shard !== undefined,
  position: 0n,
  head: 0n,
  handled: 0,
  state: "starting",
  lastError: undefined,
  lastErrorAt: 0,
  lastErrorPasses: true,
  behindSince: undefined,
  restsUntil: -Infinity,
  rate: 0,
});

const labels = ["environment", "consumer"] as const;
const positionGauge = new Gauge({
  name: "heliograph_consumer_position",
  help: "Position of the checkpoint",
  labelNames: labels,
  aggregator: "max",
});
const lagGauge = new Gauge({
  name: "heliograph_consumer_lag_events",
  help: "Events between the checkpoint and the head",
  labelNames: labels,
  aggregator: "max",
});
const rateGauge = new Gauge({
  name: "heliograph_consumer_rate",
  help: "Events handled per second over the last heartbeat",
  labelNames: labels,
});
const stalledGauge = new Gauge({
  name: "heliograph_consumer_stalled",
  help: "1 while lag grows and the position stands still",
  labelNames: labels,
  aggregator: "max",
});
export const consumerErrors = new Counter({
  name: "heliograph_consumer_errors_total",
  help: "Errors that stopped a batch",
  labelNames: labels,
});
export const consumerFenced = new Counter({
  name: "heliograph_consumer_fenced_total",
  help: "Commits refused because another process had taken over",
  labelNames: labels,
});

const deadLettersGauge = new Gauge({
  name: "heliograph_dead_letters_open",
  help: "Events that the consumer has set aside and not handled since; every process shows the same number",
  labelNames: labels,
  aggregator: "max",
});
const shown = new Map<string, readonly string[]>();

/** A consumer that has none any more goes to 0, so that an alarm ends. */
export function showDeadLetters(
  environment: string,
  counts: readonly { readonly consumer: string; readonly open: number }[],
): void {
  for (const consumer of shown.get(environment) ?? [])
    deadLettersGauge.set({ environment, consumer }, 0);
  for (const { consumer, open } of counts) deadLettersGauge.set({ environment, consumer }, open);
  shown.set(
    environment,
    counts.map(({ consumer }) => consumer),
  );
}

const stalledAfterMs = 30_000;

/** Watches lag: true when the consumer has been behind for a while without moving. */
export function updateWatch(
  log: Pick<EventLog, "span">,
  status: ConsumerStatus,
  previousPosition: bigint,
  handledBefore: number,
  elapsedMs: number,
  now: number,
): boolean {
  status.rate = ((status.handled - handledBefore) * 1000) / Math.max(1, elapsedMs);
  const behind = status.head > status.position;
  if (!behind || status.position !== previousPosition)
    status.behindSince = behind ? now : undefined;
  else status.behindSince ??= now;
  const stalled = status.behindSince !== undefined && now - status.behindSince > stalledAfterMs;
  const at = { environment: status.environment, consumer: status.name };
  positionGauge.set(at, Number(status.position));
  lagGauge.set(at, log.span(status.position, status.head));
  rateGauge.set(at, status.rate);
  stalledGauge.set(at, stalled ? 1 : 0);
  return stalled;
}
