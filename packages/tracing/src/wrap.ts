import type { Append, Batch, EventLog, RecordedEvent } from "@heliograph/log";
import { activeTracing } from "./tracing.ts";
import type { Span } from "./types.ts";

const endAll = (spans: readonly Span[], error?: unknown): void => {
  const words = error === undefined ? undefined : wordOf(error);
  for (const span of spans) span.end(undefined, words);
};
/** Messages of errors may quote what somebody wrote; their names do not. */
const wordOf = (error: unknown): string => (error instanceof Error ? error.name : "error");

/** The log, where every append of an event that belongs to a trace is a span of it. */
export function tracedLog(log: EventLog, environment: string): EventLog {
  const begun = (appends: readonly Append[]): readonly Span[] =>
    appends.flatMap(({ events }) =>
      events.flatMap(({ type, metadata }) => {
        const span = activeTracing()?.follow("producer", `append ${type}`, metadata.traceparent, {
          "heliograph.environment": environment,
          "heliograph.event": type,
          "heliograph.actor": metadata.actor ?? "",
          ...(metadata.correlation !== undefined && { "heliograph.about": metadata.correlation }),
        });
        return span ?? [];
      }),
    );
  return {
    ...log,
    forPartner: (partner) => tracedLog(log.forPartner(partner), environment),
    async append(appends) {
      const spans = begun(appends);
      try {
        const outcomes = await log.append(appends);
        endAll(spans);
        return outcomes;
      } catch (error) {
        endAll(spans, error);
        throw error;
      }
    },
  };
}

type Handles = { handle(batch: Batch): Promise<void> };

/** What handles batches, where every event of them that belongs to a trace is a span of it, as long as its batch is in hand. */
export function tracedHandler<Instance extends Handles>(
  instance: Instance,
  name: string,
  environment: string,
): Instance {
  const begun = (events: readonly RecordedEvent[]): readonly Span[] =>
    events.flatMap(({ type, metadata }) => {
      const span = activeTracing()?.follow("consumer", `${name} ${type}`, metadata.traceparent, {
        "heliograph.environment": environment,
        "heliograph.consumer": name,
        "heliograph.event": type,
      });
      return span ?? [];
    });
  const handle = instance.handle.bind(instance);
  const traced: typeof handle = async (batch) => {
    const spans = begun(batch.events);
    try {
      await handle(batch);
      endAll(spans);
    } catch (error) {
      endAll(spans, error);
      throw error;
    }
  };
  instance.handle = traced;
  return instance;
}

type Sends<Attempt, Result> = { send(attempt: Attempt, signal: AbortSignal): Promise<Result> };

/** A gateway whose calls are spans of their messages' traces. What it sends out names the call, not what led to it. */
export function tracedGateway<
  Attempt extends { readonly traceparent?: string; readonly attempt: number },
  Result extends { readonly type: string },
  Gateway extends Sends<Attempt, Result> & { readonly name: string; readonly kind: string },
>(gateway: Gateway): Gateway {
  const send = gateway.send.bind(gateway);
  const traced: typeof send = async (attempt, signal) => {
    const { name, kind } = gateway;
    const span = activeTracing()?.follow("client", `call ${name}`, attempt.traceparent, {
      "heliograph.gateway": name,
      "heliograph.gateway.kind": kind,
      "heliograph.attempt": attempt.attempt,
    });
    if (span === undefined) return send(attempt, signal);
    try {
      const result = await send({ ...attempt, traceparent: span.traceparent }, signal);
      const failed = result.type === "accepted" ? undefined : result.type;
      span.end({ "heliograph.outcome": result.type }, failed);
      return result;
    } catch (error) {
      span.end(undefined, wordOf(error));
      throw error;
    }
  };
  gateway.send = traced;
  return gateway;
}
