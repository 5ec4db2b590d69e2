import "./told.ts";
import type { Tracing, TracingOptions } from "./types.ts";

let active: Tracing | undefined;

/** What tells of traces in this process; undefined where none are told, which is what it costs then: this call. */
export const activeTracing = (): Tracing | undefined => active;

/** Begins to tell of traces, and loads what it takes. Whoever begins first in a process decides how. */
export async function startTracing(options: TracingOptions): Promise<{ stop(): Promise<void> }> {
  if (active !== undefined) return { stop: () => Promise.resolve() };
  const { openTracing } = await import("./otlp.ts");
  const tracing = openTracing(options);
  active = tracing;
  return {
    stop() {
      if (active === tracing) active = undefined;
      return tracing.stop();
    },
  };
}
