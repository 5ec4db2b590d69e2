import { ExportResultCode } from "@opentelemetry/core";
import type { ReadableSpan, SpanExporter, SpanProcessor } from "@opentelemetry/sdk-trace";
import { spansTold } from "./told.ts";

export type QueueLimits = {
  /** Some 8 MB. */
  readonly mostWaiting: number;
  readonly atOnce: number;
  readonly everyMs: number;
};
const usual: QueueLimits = { mostWaiting: 8_192, atOnce: 512, everyMs: 2_000 };
/** A process that ends does not wait longer for a collector. */
const lastMs = 3_000;

/**
 * Spans that have ended wait here until they are told, one request at a time. The SDK's own queue drops without a word what does not fit; here it is counted, and what the collector refused is
 * counted and gone, too: traces are a help, and may hold up nothing.
 */
export function spanQueue(exporter: SpanExporter, limits: QueueLimits = usual): SpanProcessor {
  let waiting: ReadableSpan[] = [];
  let telling: Promise<void> | undefined;
  const timer = setInterval(() => void tell(), limits.everyMs).unref();

  function tell(): Promise<void> {
    if (waiting.length === 0) return telling ?? Promise.resolve();
    telling ??= tellOnce().finally(() => {
      telling = undefined;
      if (waiting.length >= limits.atOnce) void tell();
    });
    return telling;
  }
  function tellOnce(): Promise<void> {
    const batch = waiting.slice(0, limits.atOnce);
    waiting = waiting.slice(limits.atOnce);
    return new Promise((resolve) =>
      exporter.export(batch, ({ code }) => {
        const outcome = code === ExportResultCode.SUCCESS ? "exported" : "failed";
        spansTold.inc({ outcome }, batch.length);
        resolve();
      }),
    );
  }
  async function tellAll(): Promise<void> {
    while (waiting.length > 0 || telling !== undefined) await tell();
  }

  return {
    onStart: () => undefined,
    onEnd(span) {
      if (waiting.length >= limits.mostWaiting) return spansTold.inc({ outcome: "dropped" });
      waiting.push(span);
      if (waiting.length >= limits.atOnce && telling === undefined) void tell();
    },
    forceFlush: tellAll,
    async shutdown() {
      clearInterval(timer);
      const late = Promise.withResolvers<void>();
      const end = setTimeout(late.resolve, lastMs);
      await Promise.race([tellAll(), late.promise]);
      clearTimeout(end);
      spansTold.inc({ outcome: "dropped" }, waiting.length);
      waiting = [];
      await exporter.shutdown();
    },
  };
}
