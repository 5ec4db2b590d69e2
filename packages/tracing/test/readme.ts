import { activeTracing } from "@heliograph/tracing";
import type { RecordedEvent } from "@heliograph/log";

/** The example of the README. */
export async function example(
  event: RecordedEvent,
  call: (headers: { traceparent: string | undefined }) => Promise<{ readonly type: string }>,
): Promise<void> {
  const span = activeTracing()?.follow("client", "call smsc-1", event.metadata.traceparent);
  const result = await call({ traceparent: span?.traceparent ?? event.metadata.traceparent });
  span?.end({ "heliograph.outcome": result.type });
}
