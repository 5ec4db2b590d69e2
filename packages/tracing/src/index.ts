export { acceptedTraceparent } from "./traceparent.ts";
export { activeTracing, startTracing } from "./tracing.ts";
export type { Span, Tracing } from "./types.ts";
export { tracedGateway, tracedHandler, tracedLog } from "./wrap.ts";
